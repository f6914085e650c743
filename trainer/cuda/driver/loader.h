// The state of libcuda.so.1 in this process.
typedef struct {
	int found;           // the library is loaded
	int init;            // result of cuInit
	int version;         // 12040 is 12.4; 0 if unknown
	const char *missing; // why the library did not load
} sweep_driver;

// sweep_load_driver loads and starts the driver, once.
sweep_driver sweep_load_driver(void);
