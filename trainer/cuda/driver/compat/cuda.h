// The compiler finds this file before the toolkit's cuda.h. With headers of CUDA 13 or newer
// it declares some functions with their signatures of CUDA 12, which gorgonia.org/cu v0.9.6
// needs and which drivers of all versions still export. With older headers it changes
// nothing.
#include_next <cuda.h>
#ifndef SWEEP_COMPAT_CUDA_H
#define SWEEP_COMPAT_CUDA_H
#if CUDA_VERSION >= 13000
#undef cuCtxCreate
#undef cuEventElapsedTime // its _v2 is missing in drivers before 12.8
#undef cuGraphAddDependencies
#undef cuGraphGetEdges
#undef cuMemAdvise
#undef cuMemPrefetchAsync
#define cuCtxCreate cuCtxCreate_v2
extern CUresult cuCtxCreate_v2(CUcontext *, unsigned int, CUdevice);
extern CUresult cuEventElapsedTime(float *, CUevent, CUevent);
extern CUresult cuGraphAddDependencies(CUgraph, const CUgraphNode *, const CUgraphNode *, size_t);
extern CUresult cuGraphGetEdges(CUgraph, CUgraphNode *, CUgraphNode *, size_t *);
extern CUresult cuMemAdvise(CUdeviceptr, size_t, CUmem_advise, CUdevice);
extern CUresult cuMemPrefetchAsync(CUdeviceptr, size_t, CUdevice, CUstream);
#endif
#endif
