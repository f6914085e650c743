package torchfile

// A kind is a type of elements.
type kind struct {
	size    int64  // bytes of an element
	storage string // the class of torch that holds them; "": torch has none
	name    string // of torch's dtype
}

// kinds has each kind under the name that safetensors gives it.
var kinds = map[string]kind{
	"F64":  {8, "DoubleStorage", "float64"},
	"F32":  {4, "FloatStorage", "float32"},
	"F16":  {2, "HalfStorage", "float16"},
	"BF16": {2, "BFloat16Storage", "bfloat16"},
	"I64":  {8, "LongStorage", "int64"},
	"I32":  {4, "IntStorage", "int32"},
	"I16":  {2, "ShortStorage", "int16"},
	"I8":   {1, "CharStorage", "int8"},
	"U8":   {1, "ByteStorage", "uint8"},
	"BOOL": {1, "BoolStorage", "bool"},
	"U16":  {2, "", "uint16"},
	"U32":  {4, "", "uint32"},
	"U64":  {8, "", "uint64"},
}

// maxDims is how many dimensions a tensor may have, as in PyTorch.
const maxDims = 64
