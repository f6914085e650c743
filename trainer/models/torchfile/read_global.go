package torchfile

import (
	"fmt"
	"strings"
)

// What a pickle may name, besides the storages and dtypes of torch. Each is done here, by call: no function of any
// other name exists for a pickle.
const (
	orderedDict      = "collections.OrderedDict"
	torchSize        = "torch.Size"
	torchDevice      = "torch.device"
	torchTensor      = "torch.Tensor"
	torchParameter   = "torch.nn.parameter.Parameter"
	torchBuffer      = "torch.nn.parameter.Buffer"
	rebuildTensor    = "torch._utils._rebuild_tensor"
	rebuildTensor2   = "torch._utils._rebuild_tensor_v2"
	rebuildTensor3   = "torch._utils._rebuild_tensor_v3"
	rebuildParameter = "torch._utils._rebuild_parameter"
	rebuildWithState = "torch._utils._rebuild_parameter_with_state"
	rebuildFromType  = "torch._tensor._rebuild_from_type_v2"
	untypedStorage   = "torch.storage.UntypedStorage"
)

// allowed reports whether a pickle may name g.
func (g global) allowed() bool {
	switch g.String() {
	case orderedDict, torchSize, torchDevice, torchTensor, torchParameter, torchBuffer, untypedStorage,
		rebuildTensor, rebuildTensor2, rebuildTensor3, rebuildParameter, rebuildWithState, rebuildFromType:
		return true
	}
	_, _, isStorage := g.storageKind()
	_, isDtype := g.dtype()
	return isStorage || isDtype || g.isSet()
}

// isSet reports whether g is set or frozenset, which protocol 2 names as Python 2 did.
func (g global) isSet() bool {
	return (g.module == "builtins" || g.module == "__builtin__") && (g.name == "set" || g.name == "frozenset")
}

// storageKind returns the kind of a storage's elements, and its name.
func (g global) storageKind() (k kind, dtype string, ok bool) {
	if g.module != "torch" {
		return kind{}, "", false
	}
	for dtype, k := range kinds {
		if k.storage != "" && k.storage == g.name {
			return k, dtype, true
		}
	}
	return kind{}, "", false
}

// dtype returns the text that stands for a dtype of torch.
func (g global) dtype() (string, bool) {
	if g.module != "torch" {
		return "", false
	}
	for _, k := range kinds {
		if k.name == g.name {
			return g.String(), true
		}
	}
	return "", false
}

// pushGlobal pushes a name, if a pickle may name it.
func (m *machine) pushGlobal(module, name string) {
	if m.err != nil {
		return
	}
	g := global{module, name}
	if !g.allowed() {
		m.fail(refuse("it names %s, which is neither a tensor nor a plain container%s. Nothing of the file was run; %s",
			clip(g.String()), g.hint(), tensorsAlone))
		return
	}
	m.push(g)
}

// hint says more about a name that is refused.
func (g global) hint() string {
	switch top, _, _ := strings.Cut(g.module, "."); {
	case top == "torch" && strings.HasSuffix(g.name, "Storage"):
		return ", but a tensor of a kind that is not read: turn it into float32"
	case top == "numpy":
		return ", but an array or a number of NumPy: turn it into a tensor or a number of Python"
	case g.String() == "_codecs.encode" || g.module == "builtins" && g.name == "bytearray":
		return ", but bytes"
	}
	return ""
}

// call does the function f of the allow-list with args, and pushes what it returns.
func (m *machine) call(f any, args []any) {
	if m.err != nil {
		return
	}
	g, ok := f.(global)
	if !ok {
		m.fail(bad("it calls %s", nameOf(f)))
		return
	}
	v, err := m.result(g, args)
	if err != nil {
		m.fail(err)
		return
	}
	m.push(v)
}

// result returns what a function of the allow-list returns.
func (m *machine) result(g global, args []any) (any, error) {
	switch name := g.String(); {
	case name == orderedDict && len(args) == 0:
		return &Dict{ordered: true}, nil
	case (name == torchSize || g.isSet()) && len(args) == 1:
		if s, ok := args[0].(*sequence); ok {
			return s, nil
		}
	case name == torchDevice && (len(args) == 1 || len(args) == 2):
		return device(args)
	case name == rebuildTensor && len(args) == 4,
		name == rebuildTensor2 && (len(args) == 6 || len(args) == 7):
		return newTensor(args, args[min(6, len(args)):])
	case name == rebuildTensor3 && (len(args) == 7 || len(args) == 8):
		return typedTensor(args)
	case name == rebuildParameter && len(args) == 3, name == rebuildWithState && len(args) == 4:
		if t, ok := args[0].(*Tensor); ok {
			return t, nil
		}
	case name == rebuildFromType && len(args) == 4:
		return m.fromType(args)
	}
	return nil, bad("it calls %s with %d arguments of other kinds than torch.save writes", g, len(args))
}

// device returns the text that stands for torch.device(type) or torch.device(type, index).
func device(args []any) (any, error) {
	name, ok := args[0].(string)
	if !ok {
		return nil, bad("it calls %s with %s", torchDevice, nameOf(args[0]))
	}
	if len(args) == 1 || args[1] == nil {
		return name, nil
	}
	index, ok := args[1].(int64)
	if !ok {
		return nil, bad("it calls %s with %s", torchDevice, nameOf(args[1]))
	}
	return fmt.Sprintf("%s:%d", name, index), nil
}

// fromType does _rebuild_from_type_v2(function, type, arguments, state), which torch writes for tensors with attributes.
// The attributes are left out.
func (m *machine) fromType(args []any) (any, error) {
	f, isGlobal := args[0].(global)
	class, isClass := args[1].(global)
	inner, isTuple := args[2].(*sequence)
	if !isGlobal || !isClass || !isTuple || f.String() == rebuildFromType {
		return nil, bad("it calls %s with other kinds of arguments than torch.save writes", rebuildFromType)
	}
	switch class.String() {
	case torchTensor, torchParameter, torchBuffer:
	default:
		return nil, refuse("it makes a tensor of the class %s; %s", class, tensorsAlone)
	}
	v, err := m.result(f, inner.items)
	if err != nil {
		return nil, err
	}
	if _, ok := v.(*Tensor); !ok {
		return nil, bad("it calls %s for %s", rebuildFromType, nameOf(v))
	}
	return v, nil
}

// build gives the object on top of the stack a state. An OrderedDict has one in state_dict(), which says the versions of
// the modules, and is left out. No other object has one.
func (m *machine) build(state any) {
	v := m.top()
	if m.err != nil {
		return
	}
	if d, ok := v.(*Dict); !ok || !d.ordered {
		m.fail(refuse("it sets the state of %s (opcode BUILD); %s", nameOf(v), tensorsAlone))
		return
	}
	if _, ok := state.(*Dict); !ok && state != nil {
		m.fail(bad("the state of an OrderedDict is %s", nameOf(state)))
	}
}

// pushStorage pushes the storage of a persistent ID: ("storage", class, key, device, number of elements).
func (m *machine) pushStorage(id []any) {
	if m.err != nil {
		return
	}
	if len(id) != 5 || id[0] != "storage" {
		m.fail(bad("a persistent ID has %d parts, and is not that of a storage", len(id)))
		return
	}
	class, isGlobal := id[1].(global)
	key, isText := id[2].(string)
	elements, isInt := id[4].(int64)
	if !isGlobal || !isText || !isInt || elements < 0 {
		m.fail(bad("a persistent ID has parts of other kinds than torch.save writes"))
		return
	}
	k, dtype, ok := class.storageKind()
	if class.String() == untypedStorage {
		k, dtype, ok = kind{size: 1}, "", true // a tensor gives the kind
	}
	if !ok {
		m.fail(bad("a persistent ID has the class %s", class))
		return
	}
	s, err := m.storage(key, k, dtype)
	if err != nil {
		m.fail(err)
		return
	}
	if s.elements < elements {
		m.fail(bad("%s has %d elements of the %d that the pickle gives it: it is cut off", clip(s.data.name), s.elements,
			elements))
		return
	}
	s.elements = elements
	m.push(s)
}
