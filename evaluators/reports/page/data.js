const DATA = JSON.parse(document.getElementById("data").textContent);
// Blocks of texts lie in the page as JSON, or beside it as scripts that call speclrmBlock.
const blocks = new Map();
const waiting = new Map();
const NONCE = document.currentScript.nonce;

window.speclrmBlock = (number, content) => waiting.get(number)(content);

function block(number) {
  if (!blocks.has(number)) blocks.set(number, loadedBlock(number));
  return blocks.get(number);
}

function loadedBlock(number) {
  const inline = document.getElementById(`block-${number}`);
  if (inline) return Promise.resolve(JSON.parse(inline.textContent));
  return new Promise((resolve, reject) => {
    waiting.set(number, (content) => { waiting.delete(number); script.remove(); resolve(content); });
    const script = element("script", { src: `${encodeURIComponent(DATA.traces)}/${number}.js` });
    script.nonce = NONCE;
    script.addEventListener("error", () => {
      blocks.delete(number);
      reject(new Error(`The file ${DATA.traces}/${number}.js is missing; keep that folder beside this page.`));
    });
    document.head.append(script);
  });
}

// A block that is looked at once, and not kept: all of them together may be too much to hold.
const passingBlock = (number) => blocks.get(number) ?? loadedBlock(number);

const stored = async ([number, at]) => (await block(number))[at];
