"""Work on the whole book: imports, the book run, the demo, the benchmarks."""
