#include "textflag.h"

// Two vectors of latents by one token: the token's element is broadcast from
// byte off of the packed token panel at SI.
#define ROW(off, bc, c0, c1) \
	VBROADCASTSS off(SI), bc    \
	VFMADD231PS  Z30, bc, c0    \
	VFMADD231PS  Z31, bc, c1

// Bias, store and comparison of token r. Predicate 22 is "not less or equal,
// unordered": NaN hits.
#define FINISH(r, c0, c1) \
	VADDPS       Z30, c0, c0         \
	VADDPS       Z31, c1, c1         \
	VMOVUPS      c0, (128*r)(R10)    \
	VMOVUPS      c1, (128*r+64)(R10) \
	VBROADCASTSS (4*r)(R9), Z24      \
	VCMPPS       $22, Z24, c0, K1    \
	VCMPPS       $22, Z24, c1, K2    \
	KUNPCKWD     K1, K2, K1          \
	KMOVD        K1, (4*r)(R11)

// func tileAVX512(a, w []float32, bias *[32]float32, above *[12]float32, out *[12][32]float32, hit *[12]uint32)
TEXT ·tileAVX512(SB), NOSPLIT, $0-80
	MOVQ a_base+0(FP), SI
	MOVQ w_base+24(FP), DI
	MOVQ w_len+32(FP), CX
	SHRQ $5, CX
	MOVQ bias+48(FP), R8
	MOVQ above+56(FP), R9
	MOVQ out+64(FP), R10
	MOVQ hit+72(FP), R11

	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	VPXORD Z4, Z4, Z4
	VPXORD Z5, Z5, Z5
	VPXORD Z6, Z6, Z6
	VPXORD Z7, Z7, Z7
	VPXORD Z8, Z8, Z8
	VPXORD Z9, Z9, Z9
	VPXORD Z10, Z10, Z10
	VPXORD Z11, Z11, Z11
	VPXORD Z12, Z12, Z12
	VPXORD Z13, Z13, Z13
	VPXORD Z14, Z14, Z14
	VPXORD Z15, Z15, Z15
	VPXORD Z16, Z16, Z16
	VPXORD Z17, Z17, Z17
	VPXORD Z18, Z18, Z18
	VPXORD Z19, Z19, Z19
	VPXORD Z20, Z20, Z20
	VPXORD Z21, Z21, Z21
	VPXORD Z22, Z22, Z22
	VPXORD Z23, Z23, Z23

dim:
	VMOVUPS (DI), Z30
	VMOVUPS 64(DI), Z31
	ROW(0, Z24, Z0, Z1)
	ROW(4, Z25, Z2, Z3)
	ROW(8, Z26, Z4, Z5)
	ROW(12, Z27, Z6, Z7)
	ROW(16, Z28, Z8, Z9)
	ROW(20, Z29, Z10, Z11)
	ROW(24, Z24, Z12, Z13)
	ROW(28, Z25, Z14, Z15)
	ROW(32, Z26, Z16, Z17)
	ROW(36, Z27, Z18, Z19)
	ROW(40, Z28, Z20, Z21)
	ROW(44, Z29, Z22, Z23)
	ADDQ $48, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  dim

	VMOVUPS (R8), Z30
	VMOVUPS 64(R8), Z31
	FINISH(0, Z0, Z1)
	FINISH(1, Z2, Z3)
	FINISH(2, Z4, Z5)
	FINISH(3, Z6, Z7)
	FINISH(4, Z8, Z9)
	FINISH(5, Z10, Z11)
	FINISH(6, Z12, Z13)
	FINISH(7, Z14, Z15)
	FINISH(8, Z16, Z17)
	FINISH(9, Z18, Z19)
	FINISH(10, Z20, Z21)
	FINISH(11, Z22, Z23)
	VZEROUPPER
	RET

// func overAVX512(out *[12][32]float32, above *[12]float32, hit *[12]uint32)
TEXT ·overAVX512(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), R10
	MOVQ above+8(FP), R9
	MOVQ hit+16(FP), R11
	MOVQ $12, CX

row:
	VBROADCASTSS (R9), Z24
	VMOVUPS  (R10), Z0
	VMOVUPS  64(R10), Z1
	VCMPPS   $22, Z24, Z0, K1
	VCMPPS   $22, Z24, Z1, K2
	KUNPCKWD K1, K2, K1
	KMOVD    K1, (R11)
	ADDQ $4, R9
	ADDQ $128, R10
	ADDQ $4, R11
	DECQ CX
	JNZ  row
	VZEROUPPER
	RET
