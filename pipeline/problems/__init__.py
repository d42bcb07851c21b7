"""Problems: manifests and rows to what a reasoner is asked and a grader compares with."""
