#include "textflag.h"

#define ROW(off, bc, c0, c1) \
	VBROADCASTSS off(SI), bc    \
	VFMADD231PS  Y12, bc, c0    \
	VFMADD231PS  Y13, bc, c1

#define STORE(r, c0, c1) \
	VMOVUPS c0, (128*r)(BX)    \
	VMOVUPS c1, (128*r+32)(BX)

// Bias, comparison and hit bits of eight latents of the row at R10, whose bound
// is in Y15, added into DX.
#define FINISH(off, bits) \
	VMOVUPS   off(R10), Y0       \
	VADDPS    off(R8), Y0, Y0    \
	VMOVUPS   Y0, off(R10)       \
	VCMPPS    $22, Y15, Y0, Y1   \
	VMOVMSKPS Y1, AX             \
	SHLL      $bits, AX          \
	ORL       AX, DX

// Six tokens by sixteen latents fill the sixteen registers: a tile is done in
// four quarters.
//
// func tileAVX2(a, w []float32, bias *[32]float32, above *[12]float32, out *[12][32]float32, hit *[12]uint32)
TEXT ·tileAVX2(SB), NOSPLIT, $0-80
	MOVQ bias+48(FP), R8
	MOVQ above+56(FP), R9
	MOVQ out+64(FP), R10
	MOVQ hit+72(FP), R11
	XORQ R12, R12            // quarter: bit 0 is the latents' half, bit 1 the tokens'

quarter:
	MOVQ a_base+0(FP), SI
	MOVQ w_base+24(FP), DI
	MOVQ w_len+32(FP), CX
	SHRQ $5, CX
	MOVQ R10, BX
	BTQ  $0, R12
	JCC  left
	ADDQ $64, DI
	ADDQ $64, BX

left:
	BTQ  $1, R12
	JCC  upper
	ADDQ $24, SI
	ADDQ $768, BX

upper:
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	VXORPS Y8, Y8, Y8
	VXORPS Y9, Y9, Y9
	VXORPS Y10, Y10, Y10
	VXORPS Y11, Y11, Y11

dim:
	VMOVUPS (DI), Y12
	VMOVUPS 32(DI), Y13
	ROW(0, Y14, Y0, Y1)
	ROW(4, Y15, Y2, Y3)
	ROW(8, Y14, Y4, Y5)
	ROW(12, Y15, Y6, Y7)
	ROW(16, Y14, Y8, Y9)
	ROW(20, Y15, Y10, Y11)
	ADDQ $48, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  dim

	STORE(0, Y0, Y1)
	STORE(1, Y2, Y3)
	STORE(2, Y4, Y5)
	STORE(3, Y6, Y7)
	STORE(4, Y8, Y9)
	STORE(5, Y10, Y11)
	INCQ R12
	CMPQ R12, $4
	JLT  quarter

	MOVQ $12, CX

row:
	VBROADCASTSS (R9), Y15
	XORL DX, DX
	FINISH(0, 0)
	FINISH(32, 8)
	FINISH(64, 16)
	FINISH(96, 24)
	MOVL DX, (R11)
	ADDQ $4, R9
	ADDQ $128, R10
	ADDQ $4, R11
	DECQ CX
	JNZ  row
	VZEROUPPER
	RET

#define OVER(off, bits) \
	VMOVUPS   off(R10), Y0       \
	VCMPPS    $22, Y15, Y0, Y1   \
	VMOVMSKPS Y1, AX             \
	SHLL      $bits, AX          \
	ORL       AX, DX

// func overAVX2(out *[12][32]float32, above *[12]float32, hit *[12]uint32)
TEXT ·overAVX2(SB), NOSPLIT, $0-24
	MOVQ out+0(FP), R10
	MOVQ above+8(FP), R9
	MOVQ hit+16(FP), R11
	MOVQ $12, CX

row:
	VBROADCASTSS (R9), Y15
	XORL DX, DX
	OVER(0, 0)
	OVER(32, 8)
	OVER(64, 16)
	OVER(96, 24)
	MOVL DX, (R11)
	ADDQ $4, R9
	ADDQ $128, R10
	ADDQ $4, R11
	DECQ CX
	JNZ  row
	VZEROUPPER
	RET
