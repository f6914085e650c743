#include "textflag.h"

// Sets the lowest lane of X12 to the sum of the lanes of c, whose lower half is cx.
// Overwrites X13.
#define LANESUM(c, cx) \
	VEXTRACTF128 $1, c, X13         \
	VADDPS       X13, cx, X12       \
	VPERMILPS    $0xee, X12, X13    \
	VADDPS       X13, X12, X12      \
	VPERMILPS    $0x55, X12, X13    \
	VADDSS       X13, X12, X12

#define ROWAT(off, p) \
	MOVLQSX off(R10)(DX*4), p \
	IMULQ   R9, p             \
	ADDQ    R8, p

// Prefetches the first half KiB of a later row: the processor fetches the rest by
// itself.
#define PREFETCHROW(off) \
	ROWAT(off, R14)        \
	PREFETCHT0 (R14)       \
	PREFETCHT0 64(R14)     \
	PREFETCHT0 128(R14)    \
	PREFETCHT0 192(R14)    \
	PREFETCHT0 256(R14)    \
	PREFETCHT0 320(R14)    \
	PREFETCHT0 384(R14)    \
	PREFETCHT0 448(R14)

// func dotsAVX2(dst, v, base []float32, rows []int32)
TEXT ·dotsAVX2(SB), NOSPLIT, $0-96
	MOVQ dst_base+0(FP), DI
	MOVQ v_base+24(FP), SI
	MOVQ v_len+32(FP), R9
	SHLQ $2, R9
	MOVQ base_base+48(FP), R8
	MOVQ rows_base+72(FP), R10
	MOVQ rows_len+80(FP), R11
	XORQ DX, DX

four:
	LEAQ 4(DX), AX
	CMPQ AX, R11
	JGT  two
	ROWAT(0, R12)
	ROWAT(4, R13)
	ROWAT(8, BX)
	ROWAT(12, R15)
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	XORQ CX, CX
	LEAQ 8(DX), R14
	CMPQ R14, R11
	JGT  fourloop
	PREFETCHROW(16)
	PREFETCHROW(20)
	PREFETCHROW(24)
	PREFETCHROW(28)

fourloop:
	VMOVUPS     (SI)(CX*1), Y8
	VMOVUPS     32(SI)(CX*1), Y9
	VFMADD231PS (R12)(CX*1), Y8, Y0
	VFMADD231PS 32(R12)(CX*1), Y9, Y1
	VFMADD231PS (R13)(CX*1), Y8, Y2
	VFMADD231PS 32(R13)(CX*1), Y9, Y3
	VFMADD231PS (BX)(CX*1), Y8, Y4
	VFMADD231PS 32(BX)(CX*1), Y9, Y5
	VFMADD231PS (R15)(CX*1), Y8, Y6
	VFMADD231PS 32(R15)(CX*1), Y9, Y7
	ADDQ        $64, CX
	CMPQ        CX, R9
	JLT         fourloop
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	VADDPS Y5, Y4, Y4
	VADDPS Y7, Y6, Y6
	LANESUM(Y0, X0)
	VMOVSS X12, (DI)(DX*4)
	LANESUM(Y2, X2)
	VMOVSS X12, 4(DI)(DX*4)
	LANESUM(Y4, X4)
	VMOVSS X12, 8(DI)(DX*4)
	LANESUM(Y6, X6)
	VMOVSS X12, 12(DI)(DX*4)
	MOVQ AX, DX
	JMP  four

two:
	LEAQ 2(DX), AX
	CMPQ AX, R11
	JGT  rest
	ROWAT(0, R12)
	ROWAT(4, R13)
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ CX, CX

twoloop:
	VMOVUPS     (SI)(CX*1), Y8
	VMOVUPS     32(SI)(CX*1), Y9
	VFMADD231PS (R12)(CX*1), Y8, Y0
	VFMADD231PS 32(R12)(CX*1), Y9, Y1
	VFMADD231PS (R13)(CX*1), Y8, Y2
	VFMADD231PS 32(R13)(CX*1), Y9, Y3
	ADDQ        $64, CX
	CMPQ        CX, R9
	JLT         twoloop
	VADDPS Y1, Y0, Y0
	VADDPS Y3, Y2, Y2
	LANESUM(Y0, X0)
	VMOVSS X12, (DI)(DX*4)
	LANESUM(Y2, X2)
	VMOVSS X12, 4(DI)(DX*4)
	MOVQ AX, DX
	JMP  two

rest:
	CMPQ DX, R11
	JGE  done
	ROWAT(0, R12)
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	XORQ CX, CX

restloop:
	VMOVUPS     (SI)(CX*1), Y8
	VMOVUPS     32(SI)(CX*1), Y9
	VFMADD231PS (R12)(CX*1), Y8, Y0
	VFMADD231PS 32(R12)(CX*1), Y9, Y1
	ADDQ        $64, CX
	CMPQ        CX, R9
	JLT         restloop
	VADDPS Y1, Y0, Y0
	LANESUM(Y0, X0)
	VMOVSS X12, (DI)(DX*4)
	INCQ DX

done:
	VZEROUPPER
	RET

#define FMA8(c0, c1, c2, c3, c4, c5, c6, c7) \
	VFMADD231PS (R12), Y12, c0    \
	VFMADD231PS 32(R12), Y12, c1  \
	VFMADD231PS 64(R12), Y12, c2  \
	VFMADD231PS 96(R12), Y12, c3  \
	VFMADD231PS 128(R12), Y12, c4 \
	VFMADD231PS 160(R12), Y12, c5 \
	VFMADD231PS 192(R12), Y12, c6 \
	VFMADD231PS 224(R12), Y12, c7

// It takes columns in blocks of 64 and of 16, which stay in registers while all rows
// are added.
//
// func combineAVX2(dst, init, coef, base []float32, rows []int32)
TEXT ·combineAVX2(SB), NOSPLIT, $0-120
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	MOVQ CX, R9
	SHLQ $2, R9
	MOVQ init_base+24(FP), BX
	MOVQ coef_base+48(FP), SI
	MOVQ base_base+72(FP), R8
	MOVQ rows_base+96(FP), R10
	MOVQ rows_len+104(FP), R11

wide:
	CMPQ CX, $64
	JLT  narrow
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	TESTQ BX, BX
	JZ   widestart
	VMOVUPS (BX), Y0
	VMOVUPS 32(BX), Y1
	VMOVUPS 64(BX), Y2
	VMOVUPS 96(BX), Y3
	VMOVUPS 128(BX), Y4
	VMOVUPS 160(BX), Y5
	VMOVUPS 192(BX), Y6
	VMOVUPS 224(BX), Y7
	ADDQ $256, BX

widestart:
	XORQ DX, DX
	JMP  widetest

wideloop:
	ROWAT(0, R12)
	VBROADCASTSS (SI)(DX*4), Y12
	FMA8(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7)
	INCQ DX

widetest:
	CMPQ DX, R11
	JLT  wideloop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	VMOVUPS Y2, 64(DI)
	VMOVUPS Y3, 96(DI)
	VMOVUPS Y4, 128(DI)
	VMOVUPS Y5, 160(DI)
	VMOVUPS Y6, 192(DI)
	VMOVUPS Y7, 224(DI)
	ADDQ $256, DI
	ADDQ $256, R8
	SUBQ $64, CX
	JMP  wide

narrow:
	TESTQ CX, CX
	JZ    done
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	TESTQ BX, BX
	JZ   narrowstart
	VMOVUPS (BX), Y0
	VMOVUPS 32(BX), Y1
	ADDQ $64, BX

narrowstart:
	XORQ DX, DX
	JMP  narrowtest

narrowloop:
	ROWAT(0, R12)
	VBROADCASTSS (SI)(DX*4), Y12
	VFMADD231PS (R12), Y12, Y0
	VFMADD231PS 32(R12), Y12, Y1
	INCQ DX

narrowtest:
	CMPQ DX, R11
	JLT  narrowloop
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, DI
	ADDQ $64, R8
	SUBQ $16, CX
	JMP  narrow

done:
	VZEROUPPER
	RET

// func axpyAVX2(dst []float32, a float32, x []float32)
TEXT ·axpyAVX2(SB), NOSPLIT, $0-56
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	VBROADCASTSS a+24(FP), Y12
	MOVQ x_base+32(FP), SI
	SHRQ $4, CX
	JZ   done

loop:
	VMOVUPS     (DI), Y0
	VMOVUPS     32(DI), Y1
	VFMADD231PS (SI), Y12, Y0
	VFMADD231PS 32(SI), Y12, Y1
	VMOVUPS     Y0, (DI)
	VMOVUPS     Y1, 32(DI)
	ADDQ        $64, DI
	ADDQ        $64, SI
	DECQ        CX
	JNZ         loop

done:
	VZEROUPPER
	RET

// func scaleAVX2(x []float32, a float32)
TEXT ·scaleAVX2(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), DI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS a+24(FP), Y12
	SHRQ $4, CX
	JZ   done

loop:
	VMULPS  (DI), Y12, Y0
	VMULPS  32(DI), Y12, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ    $64, DI
	DECQ    CX
	JNZ     loop

done:
	VZEROUPPER
	RET

// func sumSquaresAVX2(x []float32) float64
TEXT ·sumSquaresAVX2(SB), NOSPLIT, $0-32
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VXORPD Y0, Y0, Y0
	VXORPD Y1, Y1, Y1
	VXORPD Y2, Y2, Y2
	VXORPD Y3, Y3, Y3
	SHRQ $4, CX
	JZ   done

loop:
	VCVTPS2PD   (SI), Y4
	VCVTPS2PD   16(SI), Y5
	VCVTPS2PD   32(SI), Y6
	VCVTPS2PD   48(SI), Y7
	VFMADD231PD Y4, Y4, Y0
	VFMADD231PD Y5, Y5, Y1
	VFMADD231PD Y6, Y6, Y2
	VFMADD231PD Y7, Y7, Y3
	ADDQ        $64, SI
	DECQ        CX
	JNZ         loop

done:
	VADDPD       Y1, Y0, Y0
	VADDPD       Y3, Y2, Y2
	VADDPD       Y2, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPD       X1, X0, X0
	VPERMILPD    $1, X0, X1
	VADDSD       X1, X0, X0
	VMOVSD       X0, ret+24(FP)
	VZEROUPPER
	RET

// See adamAVX512 for the flushing of denormals.
//
// func adamAVX2(w, m, v, g []float32, p *adam)
TEXT ·adamAVX2(SB), NOSPLIT, $8-104
	MOVQ w_base+0(FP), DI
	MOVQ w_len+8(FP), CX
	MOVQ m_base+24(FP), R8
	MOVQ v_base+48(FP), R9
	MOVQ g_base+72(FP), R10
	MOVQ p+96(FP), SI
	VBROADCASTSS 0(SI), Y8   // weight
	VBROADCASTSS 4(SI), Y9   // beta1
	VBROADCASTSS 8(SI), Y10  // gain1
	VBROADCASTSS 12(SI), Y11 // beta2
	VBROADCASTSS 16(SI), Y12 // gain2
	VBROADCASTSS 20(SI), Y13 // step
	VBROADCASTSS 24(SI), Y14 // root
	VBROADCASTSS 28(SI), Y15 // eps
	STMXCSR old-8(SP)
	MOVL old-8(SP), AX
	ORL  $0x8040, AX
	MOVL AX, new-4(SP)
	LDMXCSR new-4(SP)
	XORQ DX, DX
	SHRQ $3, CX
	JZ   done
	VXORPS Y0, Y0, Y0
	TESTQ R10, R10
	JZ   still

loop:
	VMOVUPS (R10)(DX*1), Y0

still:
	VMULPS       (R8)(DX*1), Y9, Y1
	VFMADD231PS  Y10, Y0, Y1
	VMOVUPS      Y1, (R8)(DX*1)
	VMULPS       Y12, Y0, Y2
	VMULPS       Y0, Y2, Y2
	VFMADD231PS  (R9)(DX*1), Y11, Y2
	VMOVUPS      Y2, (R9)(DX*1)
	VSQRTPS      Y2, Y2
	VFMADD213PS  Y15, Y14, Y2
	VDIVPS       Y2, Y1, Y1
	VMULPS       (DI)(DX*1), Y8, Y3
	VFNMADD231PS Y13, Y1, Y3
	VMOVUPS      Y3, (DI)(DX*1)
	ADDQ  $32, DX
	DECQ  CX
	JZ    done
	TESTQ R10, R10
	JNZ   loop
	JMP   still

done:
	LDMXCSR old-8(SP)
	VZEROUPPER
	RET

// func quantizeAVX2(dst, src []float32, scale float32)
TEXT ·quantizeAVX2(SB), NOSPLIT, $0-52
	MOVQ dst_base+0(FP), DI
	MOVQ src_base+24(FP), SI
	MOVQ src_len+32(FP), CX
	VBROADCASTSS scale+48(FP), Y12
	SHRQ $4, CX
	JZ   done

loop:
	VMULPS    (SI), Y12, Y0
	VMULPS    32(SI), Y12, Y1
	VCVTPS2DQ Y0, Y0
	VCVTPS2DQ Y1, Y1
	VPACKSSDW Y1, Y0, Y0
	VPERMQ    $0xd8, Y0, Y0 // puts in order what the pack did within each half
	VMOVDQU   Y0, (DI)
	ADDQ      $64, SI
	ADDQ      $32, DI
	DECQ      CX
	JNZ       loop

done:
	VZEROUPPER
	RET

// The AVX2 and AVX-512 paths both use it. It transposes squares of four by four: dst is
// [n][rows] and src [rows][stride]. rows is a multiple of four. n may differ from
// stride, and need not be a multiple of four.
//
// func transposeAVX(dst, src []float32, rows int)
TEXT ·transposeAVX(SB), NOSPLIT, $0-56
	MOVQ rows+48(FP), BX
	MOVQ src_len+32(FP), AX
	XORQ DX, DX
	DIVQ BX
	SHLQ $2, AX
	MOVQ AX, R9               // bytes of a row of src
	MOVQ dst_len+8(FP), AX
	XORQ DX, DX
	DIVQ BX
	MOVQ AX, CX               // columns left
	MOVQ dst_base+0(FP), DI
	MOVQ src_base+24(FP), SI
	SHLQ $2, BX               // bytes of a row of dst
	LEAQ (R9)(R9*2), R10
	LEAQ (BX)(BX*2), R11

columns:
	TESTQ CX, CX
	JLE   done
	MOVQ  SI, R8
	MOVQ  DI, R12
	XORQ  DX, DX              // byte of the first of four rows in dst

rows4:
	VMOVUPS (R8), X0
	VMOVUPS (R8)(R9*1), X1
	VMOVUPS (R8)(R9*2), X2
	VMOVUPS (R8)(R10*1), X3
	VUNPCKLPS X1, X0, X4      // a0 b0 a1 b1
	VUNPCKHPS X1, X0, X5      // a2 b2 a3 b3
	VUNPCKLPS X3, X2, X6      // c0 d0 c1 d1
	VUNPCKHPS X3, X2, X7      // c2 d2 c3 d3
	VUNPCKLPD X6, X4, X0
	VUNPCKHPD X6, X4, X1
	VUNPCKLPD X7, X5, X2
	VUNPCKHPD X7, X5, X3
	VMOVUPS X0, (R12)
	CMPQ CX, $2
	JLT  next
	VMOVUPS X1, (R12)(BX*1)
	JEQ  next
	VMOVUPS X2, (R12)(BX*2)
	CMPQ CX, $4
	JLT  next
	VMOVUPS X3, (R12)(R11*1)

next:
	LEAQ (R8)(R9*4), R8
	ADDQ $16, R12
	ADDQ $16, DX
	CMPQ DX, BX
	JLT  rows4
	ADDQ $16, SI
	LEAQ (DI)(BX*4), DI
	SUBQ $4, CX
	JMP  columns

done:
	RET

// func largestAVX2(x []float32) float32
TEXT ·largestAVX2(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y3, Y3, Y3
	SHRQ $3, CX
	JZ   done

loop:
	VMOVUPS (SI), Y2
	VMAXPS  Y2, Y0, Y0
	VMINPS  Y2, Y1, Y1
	ADDQ    $32, SI
	DECQ    CX
	JNZ     loop

done:
	VSUBPS       Y1, Y3, Y1
	VMAXPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0x4e, X0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0xb1, X0, X1
	VMAXPS       X1, X0, X0
	VMOVSS       X0, ret+24(FP)
	VZEROUPPER
	RET
