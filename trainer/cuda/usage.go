package cuda

// A Usage is what NVIDIA's management library (NVML) says of a GPU at a moment. What it does not know is negative.
type Usage struct {
	UUID        string
	Used, Total int64   // bytes of memory, of all processes
	Busy        float64 // share of the last sample in which a kernel ran, 0 to 1
	Celsius     float64
	Watts       float64
}
