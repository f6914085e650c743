package figures

import (
	"image/color"
	"math"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A shape is that of a marker. Series differ in shape too, so that they are told apart without colours.
type shape int

// The shapes, in the order in which series take them.
const (
	circle shape = iota
	square
	triangle
	diamond
	plus
	downward
	cross
	pentagon
	shapes // how many there are
)

// draw fills the shape around a place. radius is that of a circle of about the same area.
func (s shape) draw(c *draw.Canvas, at vg.Point, radius vg.Length, colour color.RGBA) {
	c.SetColor(colour)
	c.Fill(s.path(at, radius))
}

func (s shape) path(at vg.Point, radius vg.Length) vg.Path {
	var p vg.Path
	if s == circle {
		p.Move(vg.Point{X: at.X + radius, Y: at.Y})
		p.Arc(at, radius, 0, 2*math.Pi)
		p.Close()
		return p
	}
	for i, corner := range s.corners() {
		pt := vg.Point{X: at.X + radius*vg.Length(corner.x), Y: at.Y + radius*vg.Length(corner.y)}
		if i == 0 {
			p.Move(pt)
		} else {
			p.Line(pt)
		}
	}
	p.Close()
	return p
}

// corners returns the corners of a shape around (0, 0), for a radius of 1.
func (s shape) corners() []xy {
	switch s {
	case square:
		return turned([]xy{{1.25, 0}}, 4, math.Pi/4)
	case triangle:
		return turned([]xy{{1.45, 0}}, 3, math.Pi/2)
	case diamond:
		return turned([]xy{{1.4, 0}}, 4, 0)
	case downward:
		return turned([]xy{{1.45, 0}}, 3, -math.Pi/2)
	case pentagon:
		return turned([]xy{{1.25, 0}}, 5, math.Pi/2)
	case plus:
		return turned([]xy{{1.4, -0.42}, {1.4, 0.42}, {0.42, 0.42}}, 4, 0)
	case cross:
		return turned([]xy{{1.4, -0.42}, {1.4, 0.42}, {0.42, 0.42}}, 4, math.Pi/4)
	}
	return nil
}

// turned repeats corners around (0, 0), beginning at an angle in radians.
func turned(corners []xy, times int, angle float64) []xy {
	var out []xy
	for i := range times {
		sin, cos := math.Sincos(angle + 2*math.Pi*float64(i)/float64(times))
		for _, c := range corners {
			out = append(out, xy{c.x*cos - c.y*sin, c.x*sin + c.y*cos})
		}
	}
	return out
}
