package faultydisk

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// sector is what a disk writes at once. Of one that it was writing when the
// power was lost there may be the old, the new, or noise.
const sector = 512

// Image is what is on a disk: the content of each file.
type Image map[string][]byte

// Cut calls fn with what may be on the disk when the power is lost after each
// of some points of a recording, which are in order: how many operations were
// done. The recording begins with an empty disk. What was flushed by then is
// there; of the rest it is drawn by random what became of it.
func Cut(recording []Op, points []int, random *rand.Rand, fn func(point int, image Image) error) error {
	s := state{names: map[string]*content{}, lasting: map[string]*content{}}
	done := 0
	for _, point := range points {
		for ; done < point; done++ {
			s.apply(recording[done])
		}
		if err := fn(point, s.cut(random)); err != nil {
			return err
		}
	}
	return nil
}

// state is what is on a disk for certain, and what is still to be.
type state struct {
	names   map[string]*content // as a program sees them
	lasting map[string]*content // for certain
	renamed []naming            // what the two differ in, in order
}

// naming gives a file to a name, or takes it: nil.
type naming struct {
	path string
	file *content
}

// content is that of a file: what is there for certain, and what was asked
// since.
type content struct {
	data    []byte
	pending []Op
}

func (s *state) apply(op Op) {
	switch op.Kind {
	case Create:
		s.name(op.Path, &content{})
	case Delete:
		s.name(op.Path, nil)
	case Sync:
		f := s.names[op.Path]
		for _, p := range f.pending {
			f.data = carriedOut(p, f.data)
		}
		f.pending = nil
	default:
		f := s.names[op.Path]
		f.pending = append(f.pending, op)
	}
	if op.Folder {
		s.lasting, s.renamed = maps.Clone(s.names), nil
	}
}

func (s *state) name(path string, file *content) {
	give(s.names, naming{path, file})
	s.renamed = append(s.renamed, naming{path, file})
}

func give(names map[string]*content, n naming) {
	if n.file == nil {
		delete(names, n.path)
	} else {
		names[n.path] = n.file
	}
}

// carriedOut is what becomes of a file.
func carriedOut(op Op, data []byte) []byte {
	if op.Kind == Write {
		return put(data, op.Offset, op.Data)
	}
	if short := op.Offset - int64(len(data)); short > 0 {
		return append(data, make([]byte, short)...)
	}
	return data[:op.Offset:op.Offset]
}

// put writes to a file, which is filled up with zeros.
func put(data []byte, offset int64, what []byte) []byte {
	if short := offset + int64(len(what)) - int64(len(data)); short > 0 {
		data = append(data, make([]byte, short)...)
	}
	copy(data[offset:], what)
	return data
}

// cut draws an image.
func (s *state) cut(random *rand.Rand) Image {
	names := maps.Clone(s.lasting)
	fate := random.IntN(3)
	for _, n := range s.renamed {
		if fate == 1 || fate == 2 && random.IntN(2) == 0 {
			give(names, n)
		}
	}
	image := Image{}
	for _, path := range slices.Sorted(maps.Keys(names)) {
		image[path] = names[path].cut(random)
	}
	return image
}

// cut draws what is in a file.
func (f *content) cut(random *rand.Rand) []byte {
	data := slices.Clone(f.data)
	fate, moment := random.IntN(5), random.IntN(len(f.pending)+1)
	for i, op := range f.pending {
		arrives, partly := false, false
		switch fate {
		case 0: // nothing arrived
		case 1: // all of it did
			arrives = true
		case 2: // all up to a moment, and a part of what came then
			arrives, partly = i < moment, i == moment
		case 3: // some of it, in any order
			arrives = random.IntN(2) == 0
		case 4: // of each a part
			arrives, partly = op.Kind != Write, true
		}
		switch {
		case arrives:
			data = carriedOut(op, data)
		case partly && op.Kind == Write:
			data = torn(data, op, random)
		}
	}
	return data
}

// torn carries out a part of a write: some of the sectors, and some as noise.
func torn(data []byte, op Op, random *rand.Rand) []byte {
	for from := 0; from < len(op.Data); {
		end := min(from+sector-int((op.Offset+int64(from))%sector), len(op.Data))
		switch n := random.IntN(20); {
		case n < 9:
			data = put(data, op.Offset+int64(from), op.Data[from:end])
		case n < 11:
			noise := make([]byte, end-from)
			for i := range noise {
				noise[i] = byte(random.Uint32())
			}
			data = put(data, op.Offset+int64(from), noise)
		}
		from = end
	}
	return data
}
