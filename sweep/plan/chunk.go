package plan

import "github.com/topksweep/sweep/sweep/grid"

// ChunkSize is the number of cells in a stored chunk of a plan: cell i is number
// i%ChunkSize of chunk i/ChunkSize. Workflows name a cell by i, and an activity
// reads the one chunk that holds it.
const ChunkSize = 256

// Chunks returns the number of chunks of the plan.
func (h *Header) Chunks() int { return (h.CellCount + ChunkSize - 1) / ChunkSize }

// Chunk returns the cells of chunk i.
func (p *Plan) Chunk(i int) []grid.Cell {
	return p.Cells[i*ChunkSize : min((i+1)*ChunkSize, len(p.Cells))]
}

// chunkTrees cuts the trees into the chunks in which they are stored: at most
// ChunkSize trees, and no more cells than that unless one tree has more. Tree j of
// chunk i has the number i·ChunkSize + j. Example: chunks of 256, 3 and 256 trees
// hold the trees 0 to 255, 256 to 258 and 512 to 767; the numbers between are not
// used.
func chunkTrees(trees []Tree) (chunks [][]Tree) {
	for from := 0; from < len(trees); {
		to, cells := from, 0
		for to < len(trees) && to-from < ChunkSize && (to == from || cells+len(trees[to].Cells) <= ChunkSize) {
			cells += len(trees[to].Cells)
			to++
		}
		chunks = append(chunks, trees[from:to])
		from = to
	}
	return chunks
}

// ChunkedTrees returns the chunks in which the trees are stored, with labels for
// people. Of an extended plan it returns those that were added; first is the
// number of the first chunk.
func (p *Plan) ChunkedTrees() (first int, chunks [][]Tree) {
	trees := p.Trees
	if p.added != nil {
		trees = p.added
	}
	for _, chunk := range chunkTrees(trees) {
		labelled := make([]Tree, len(chunk))
		for i, t := range chunk {
			labelled[i] = t
			labelled[i].Cells = make([]TreeCell, len(t.Cells))
			for j, c := range t.Cells {
				c.Label = p.Label(p.Cells[c.Cell])
				labelled[i].Cells[j] = c
			}
		}
		chunks = append(chunks, labelled)
	}
	return p.TreeChunks - len(chunks), chunks
}
