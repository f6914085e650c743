package torchfile

import "iter"

// A Value is what a file holds: a *Dict, a List, a *Tensor, a string, an int64, a float64, a bool, or nil for None.
// A torch.dtype is the string "torch.float32", a torch.device the string "cuda:0". No Value contains itself.
type Value any

// A List is a list, a tuple, a torch.Size or a set of Python.
type List []Value

// A Dict is a dict or an OrderedDict, in Python's order.
type Dict struct {
	keys   []Value // string or int64
	values []Value
	index  map[Value]int

	ordered bool // collections.OrderedDict
}

// Len returns the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// Get returns the value of a key that is a text, and whether there is one.
func (d *Dict) Get(key string) (Value, bool) {
	i, ok := d.index[key]
	if !ok {
		return nil, false
	}
	return d.values[i], true
}

// All yields keys and values in order. A key is a string or an int64.
func (d *Dict) All() iter.Seq2[Value, Value] {
	return func(yield func(k, v Value) bool) {
		for i, k := range d.keys {
			if !yield(k, d.values[i]) {
				return
			}
		}
	}
}

// set gives a key a value. As in Python, a key that comes again keeps its place.
func (d *Dict) set(key, value Value) error {
	switch key.(type) {
	case string, int64:
	default:
		return refuse("a key of a dict is %s: only texts and whole numbers are read as keys; %s", nameOf(key), tensorsAlone)
	}
	if d.index == nil {
		d.index = map[Value]int{}
	}
	if i, ok := d.index[key]; ok {
		d.values[i] = value
		return nil
	}
	d.index[key] = len(d.keys)
	d.keys = append(d.keys, key)
	d.values = append(d.values, value)
	return nil
}

// A sequence is a list, tuple or set while a pickle is read: one object that may grow, and may be held many times.
type sequence struct {
	items []any
	grows bool // a list or set; a tuple cannot be changed
}

// A global is a name of Python that a pickle may use.
type global struct{ module, name string }

func (g global) String() string { return g.module + "." + g.name }

// nameOf names a kind of value, for messages.
func nameOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a bool"
	case int64:
		return "a whole number"
	case float64:
		return "a float"
	case string:
		return "a text"
	case *sequence:
		if !v.grows {
			return "a tuple"
		}
		return "a list"
	case *Dict:
		return "a dict"
	case *Tensor:
		return "a tensor"
	case *storage:
		return "a storage"
	case global:
		return v.String()
	}
	return "an object"
}

const (
	maxValues = 1 << 20 // of a pickle: each object, text and number counts, and each use of one
	maxDepth  = 100     // of containers in containers
)

// A finisher makes Values of what a pickle built. A container may be held many times: the finisher counts what the value
// would have if each were written out, so that a small file cannot become endless to whoever walks through its value.
type finisher struct {
	done map[any]finished // by *sequence or *Dict
	busy map[any]bool
}

// A finished container, with the number of values in it and the containers in containers, itself among them.
type finished struct {
	value        Value
	size, height int
}

// finish returns the Value of v, which lies in depth containers.
func (f *finisher) finish(v any, depth int) (finished, error) {
	switch v := v.(type) {
	case *sequence:
		list := make(List, len(v.items))
		return f.container(v, depth, list, func(child func(any) (Value, error)) (err error) {
			for i, item := range v.items {
				if list[i], err = child(item); err != nil {
					return err
				}
			}
			return nil
		})
	case *Dict:
		return f.container(v, depth, v, func(child func(any) (Value, error)) (err error) {
			for i, item := range v.values {
				if v.values[i], err = child(item); err != nil {
					return err
				}
			}
			return nil
		})
	case global:
		if dtype, ok := v.dtype(); ok {
			return finished{value: dtype, size: 1}, nil
		}
		return finished{}, refuse("the file holds %s itself, which is not a value; %s", v, tensorsAlone)
	case *storage:
		return finished{}, refuse("the file holds a storage without a tensor; %s", tensorsAlone)
	}
	return finished{value: v, size: 1}, nil
}

// container finishes the container that key points to, whose Value is value. fill replaces its items by what child
// returns.
func (f *finisher) container(key any, depth int, value Value,
	fill func(child func(any) (Value, error)) error) (finished, error) {
	if done, ok := f.done[key]; ok {
		return done, nil
	}
	if f.busy[key] {
		return finished{}, refuse("%s contains itself; %s", nameOf(key), tensorsAlone)
	}
	if depth >= maxDepth {
		return finished{}, tooDeep()
	}
	f.busy[key] = true
	out := finished{value: value, size: 1, height: 1}
	err := fill(func(item any) (Value, error) {
		c, err := f.finish(item, depth+1)
		if err != nil {
			return nil, err
		}
		out.size += c.size
		out.height = max(out.height, 1+c.height)
		if out.size > maxValues {
			return nil, refuse("the value has more than %d parts, written out; %s", maxValues, tensorsAlone)
		}
		if out.height > maxDepth {
			return nil, tooDeep()
		}
		return c.value, nil
	})
	if err != nil {
		return finished{}, err
	}
	delete(f.busy, key)
	f.done[key] = out
	return out, nil
}

func tooDeep() error {
	return refuse("containers lie in containers more than %d deep; %s", maxDepth, tensorsAlone)
}
