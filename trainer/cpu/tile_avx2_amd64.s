#include "textflag.h"

// A tile of 12 tokens by 32 latents is done in four quarters, since the sums of six
// tokens by sixteen latents fill the sixteen registers. R13 counts the quarters: its
// bit 0 says which half of the latents, bit 1 which half of the tokens. SI and DI
// point to the packed panels and BX into out. CX counts the words.
#define QUARTER(left, upper) \
	MOVQ a_base+0(FP), SI  \
	MOVQ w_base+24(FP), DI \
	MOVQ w_len+32(FP), CX  \
	SHRQ $5, CX            \
	MOVQ out+48(FP), BX    \
	BTQ  $0, R13           \
	JCC  left              \
	ADDQ $64, DI           \
	ADDQ $64, BX           \
left:                    \
	BTQ  $1, R13           \
	JCC  upper             \
	ADDQ $24, SI           \
	ADDQ $768, BX          \
upper:                   \
	VXORPS Y0, Y0, Y0      \
	VXORPS Y1, Y1, Y1      \
	VXORPS Y2, Y2, Y2      \
	VXORPS Y3, Y3, Y3      \
	VXORPS Y4, Y4, Y4      \
	VXORPS Y5, Y5, Y5      \
	VXORPS Y6, Y6, Y6      \
	VXORPS Y7, Y7, Y7      \
	VXORPS Y8, Y8, Y8      \
	VXORPS Y9, Y9, Y9      \
	VXORPS Y10, Y10, Y10   \
	VXORPS Y11, Y11, Y11

// Two vectors of latents by one token: sixteen products of int16 are added in pairs,
// then to the sums.
#define PAIRS(off, c0, c1) \
	VPBROADCASTD off(SI), Y14  \
	VPMADDWD     Y12, Y14, Y15 \
	VPADDD       Y15, c0, c0   \
	VPMADDWD     Y13, Y14, Y14 \
	VPADDD       Y14, c1, c1

#define ADDFLOATS(r, c0, c1) \
	VADDPS  (128*r)(BX), c0, c0    \
	VADDPS  (128*r+32)(BX), c1, c1 \
	VMOVUPS c0, (128*r)(BX)        \
	VMOVUPS c1, (128*r+32)(BX)

#define ADDINTS(r, c0, c1) \
	VCVTDQ2PS c0, c0 \
	VCVTDQ2PS c1, c1 \
	ADDFLOATS(r, c0, c1)

// func productPairsAVX2(a, w []float32, out *[12][32]float32)
TEXT ·productPairsAVX2(SB), NOSPLIT, $0-56
	XORQ R13, R13

quarter:
	QUARTER(left, upper)

word:
	VMOVDQU (DI), Y12
	VMOVDQU 32(DI), Y13
	PAIRS(0, Y0, Y1)
	PAIRS(4, Y2, Y3)
	PAIRS(8, Y4, Y5)
	PAIRS(12, Y6, Y7)
	PAIRS(16, Y8, Y9)
	PAIRS(20, Y10, Y11)
	ADDQ $48, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  word

	ADDINTS(0, Y0, Y1)
	ADDINTS(1, Y2, Y3)
	ADDINTS(2, Y4, Y5)
	ADDINTS(3, Y6, Y7)
	ADDINTS(4, Y8, Y9)
	ADDINTS(5, Y10, Y11)
	INCQ R13
	CMPQ R13, $4
	JLT  quarter
	VZEROUPPER
	RET

#define FLOATS(off, bc, c0, c1) \
	VBROADCASTSS off(SI), bc \
	VFMADD231PS  Y12, bc, c0 \
	VFMADD231PS  Y13, bc, c1

// func productAVX2(a, w []float32, out *[12][32]float32)
TEXT ·productAVX2(SB), NOSPLIT, $0-56
	XORQ R13, R13

quarter:
	QUARTER(left, upper)

dim:
	VMOVUPS (DI), Y12
	VMOVUPS 32(DI), Y13
	FLOATS(0, Y14, Y0, Y1)
	FLOATS(4, Y15, Y2, Y3)
	FLOATS(8, Y14, Y4, Y5)
	FLOATS(12, Y15, Y6, Y7)
	FLOATS(16, Y14, Y8, Y9)
	FLOATS(20, Y15, Y10, Y11)
	ADDQ $48, SI
	ADDQ $128, DI
	DECQ CX
	JNZ  dim

	ADDFLOATS(0, Y0, Y1)
	ADDFLOATS(1, Y2, Y3)
	ADDFLOATS(2, Y4, Y5)
	ADDFLOATS(3, Y6, Y7)
	ADDFLOATS(4, Y8, Y9)
	ADDFLOATS(5, Y10, Y11)
	INCQ R13
	CMPQ R13, $4
	JLT  quarter
	VZEROUPPER
	RET

// Compares eight latents, whose values are in Y0, with the cutoff in Y15, and adds
// their hit bits to DX. Predicate 22 is "not less or equal, unordered": it is true for
// NaN.
#define HITS(bits) \
	VCMPPS    $22, Y15, Y0, Y1 \
	VMOVMSKPS Y1, AX           \
	SHLL      $bits, AX        \
	ORL       AX, DX

#define BOUND(off, bits) \
	VMOVUPS     off(R10), Y0         \
	VMULPS      off(DI), Y0, Y0      \
	VFMADD213PS off+256(DI), Y13, Y0 \
	VMOVUPS     off+128(DI), Y1      \
	VFMADD231PS Y1, Y14, Y0          \
	VMOVUPS     Y0, off(R10)         \
	HITS(bits)

// func boundAVX2(out *[12][32]float32, x *[2][12]float32, w *[4][32]float32, above *[12]float32, hit *[12]uint32)
TEXT ·boundAVX2(SB), NOSPLIT, $0-40
	MOVQ out+0(FP), R10
	MOVQ x+8(FP), SI
	MOVQ w+16(FP), DI
	MOVQ above+24(FP), R9
	MOVQ hit+32(FP), R11
	MOVQ $12, CX

row:
	VBROADCASTSS (SI), Y13
	VBROADCASTSS 48(SI), Y14
	VBROADCASTSS (R9), Y15
	XORL DX, DX
	BOUND(0, 0)
	BOUND(32, 8)
	BOUND(64, 16)
	BOUND(96, 24)
	MOVL DX, (R11)
	ADDQ $4, SI
	ADDQ $4, R9
	ADDQ $128, R10
	ADDQ $4, R11
	DECQ CX
	JNZ  row
	VZEROUPPER
	RET

#define OVER(off, bits) \
	VMOVUPS off(R10), Y0 \
	HITS(bits)

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
