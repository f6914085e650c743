#include "textflag.h"

// Sets the lowest lane of X16 to the sum of c's sixteen lanes. Overwrites Y17.
#define LANESUM(c, cy) \
	VEXTRACTF32X8 $1, c, Y17        \
	VADDPS        Y17, cy, Y16      \
	VEXTRACTF32X4 $1, Y16, X17      \
	VADDPS        X17, X16, X16     \
	VPERMILPS     $0xee, X16, X17   \
	VADDPS        X17, X16, X16     \
	VPERMILPS     $0x55, X16, X17   \
	VADDSS        X17, X16, X16

// Sets a pointer to a row: base is R8, the length of a row in bytes R9, and its number
// is at (ids)(DX*4).
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

// func dotsAVX512(dst, v, base []float32, rows []int32)
TEXT ·dotsAVX512(SB), NOSPLIT, $0-96
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
	JGT  rest
	ROWAT(0, R12)
	ROWAT(4, R13)
	ROWAT(8, BX)
	ROWAT(12, R15)
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z2, Z2, Z2
	VPXORD Z3, Z3, Z3
	XORQ CX, CX
	LEAQ 8(DX), R14
	CMPQ R14, R11
	JGT  fourloop
	PREFETCHROW(16)
	PREFETCHROW(20)
	PREFETCHROW(24)
	PREFETCHROW(28)

fourloop:
	VMOVUPS     (SI)(CX*1), Z8
	VFMADD231PS (R12)(CX*1), Z8, Z0
	VFMADD231PS (R13)(CX*1), Z8, Z1
	VFMADD231PS (BX)(CX*1), Z8, Z2
	VFMADD231PS (R15)(CX*1), Z8, Z3
	ADDQ        $64, CX
	CMPQ        CX, R9
	JLT         fourloop
	LANESUM(Z0, Y0)
	VMOVSS X16, (DI)(DX*4)
	LANESUM(Z1, Y1)
	VMOVSS X16, 4(DI)(DX*4)
	LANESUM(Z2, Y2)
	VMOVSS X16, 8(DI)(DX*4)
	LANESUM(Z3, Y3)
	VMOVSS X16, 12(DI)(DX*4)
	MOVQ AX, DX
	JMP  four

rest:
	CMPQ DX, R11
	JGE  done
	ROWAT(0, R12)
	VPXORD Z0, Z0, Z0
	XORQ CX, CX

restloop:
	VMOVUPS     (SI)(CX*1), Z8
	VFMADD231PS (R12)(CX*1), Z8, Z0
	ADDQ        $64, CX
	CMPQ        CX, R9
	JLT         restloop
	LANESUM(Z0, Y0)
	VMOVSS X16, (DI)(DX*4)
	INCQ DX
	JMP  rest

done:
	VZEROUPPER
	RET

#define FMA8(off, c0, c1, c2, c3, c4, c5, c6, c7) \
	VFMADD231PS off(R12), Z24, c0     \
	VFMADD231PS off+64(R12), Z24, c1  \
	VFMADD231PS off+128(R12), Z24, c2 \
	VFMADD231PS off+192(R12), Z24, c3 \
	VFMADD231PS off+256(R12), Z24, c4 \
	VFMADD231PS off+320(R12), Z24, c5 \
	VFMADD231PS off+384(R12), Z24, c6 \
	VFMADD231PS off+448(R12), Z24, c7

#define LOAD8(off, c0, c1, c2, c3, c4, c5, c6, c7) \
	VMOVUPS off(BX), c0     \
	VMOVUPS off+64(BX), c1  \
	VMOVUPS off+128(BX), c2 \
	VMOVUPS off+192(BX), c3 \
	VMOVUPS off+256(BX), c4 \
	VMOVUPS off+320(BX), c5 \
	VMOVUPS off+384(BX), c6 \
	VMOVUPS off+448(BX), c7

#define ZERO8(c0, c1, c2, c3, c4, c5, c6, c7) \
	VPXORD c0, c0, c0 \
	VPXORD c1, c1, c1 \
	VPXORD c2, c2, c2 \
	VPXORD c3, c3, c3 \
	VPXORD c4, c4, c4 \
	VPXORD c5, c5, c5 \
	VPXORD c6, c6, c6 \
	VPXORD c7, c7, c7

#define STORE8(off, c0, c1, c2, c3, c4, c5, c6, c7) \
	VMOVUPS c0, off(DI)     \
	VMOVUPS c1, off+64(DI)  \
	VMOVUPS c2, off+128(DI) \
	VMOVUPS c3, off+192(DI) \
	VMOVUPS c4, off+256(DI) \
	VMOVUPS c5, off+320(DI) \
	VMOVUPS c6, off+384(DI) \
	VMOVUPS c7, off+448(DI)

// It takes columns in blocks of 256, 128 and 16, which stay in registers while all rows
// are added.
//
// func combineAVX512(dst, init, coef, base []float32, rows []int32)
TEXT ·combineAVX512(SB), NOSPLIT, $0-120
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX      // columns left
	MOVQ CX, R9
	SHLQ $2, R9                 // bytes of a row
	MOVQ init_base+24(FP), BX
	MOVQ coef_base+48(FP), SI
	MOVQ base_base+72(FP), R8   // moves on with the columns
	MOVQ rows_base+96(FP), R10
	MOVQ rows_len+104(FP), R11

wide:
	CMPQ CX, $256
	JLT  half
	ZERO8(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	ZERO8(Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)
	TESTQ BX, BX
	JZ   widestart
	LOAD8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	LOAD8(512, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)
	ADDQ $1024, BX

widestart:
	XORQ DX, DX
	JMP  widetest

wideloop:
	ROWAT(0, R12)
	VBROADCASTSS (SI)(DX*4), Z24
	FMA8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	FMA8(512, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)
	INCQ DX

widetest:
	CMPQ DX, R11
	JLT  wideloop
	STORE8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	STORE8(512, Z8, Z9, Z10, Z11, Z12, Z13, Z14, Z15)
	ADDQ $1024, DI
	ADDQ $1024, R8
	SUBQ $256, CX
	JMP  wide

half:
	CMPQ CX, $128
	JLT  narrow
	ZERO8(Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	TESTQ BX, BX
	JZ   halfstart
	LOAD8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	ADDQ $512, BX

halfstart:
	XORQ DX, DX
	JMP  halftest

halfloop:
	ROWAT(0, R12)
	VBROADCASTSS (SI)(DX*4), Z24
	FMA8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	INCQ DX

halftest:
	CMPQ DX, R11
	JLT  halfloop
	STORE8(0, Z0, Z1, Z2, Z3, Z4, Z5, Z6, Z7)
	ADDQ $512, DI
	ADDQ $512, R8
	SUBQ $128, CX

narrow:
	TESTQ CX, CX
	JZ    done
	VPXORD Z0, Z0, Z0
	TESTQ BX, BX
	JZ   narrowstart
	VMOVUPS (BX), Z0
	ADDQ $64, BX

narrowstart:
	XORQ DX, DX
	JMP  narrowtest

narrowloop:
	ROWAT(0, R12)
	VBROADCASTSS (SI)(DX*4), Z24
	VFMADD231PS (R12), Z24, Z0
	INCQ DX

narrowtest:
	CMPQ DX, R11
	JLT  narrowloop
	VMOVUPS Z0, (DI)
	ADDQ $64, DI
	ADDQ $64, R8
	SUBQ $16, CX
	JMP  narrow

done:
	VZEROUPPER
	RET

// func axpyAVX512(dst []float32, a float32, x []float32)
TEXT ·axpyAVX512(SB), NOSPLIT, $0-56
	MOVQ dst_base+0(FP), DI
	MOVQ dst_len+8(FP), CX
	VBROADCASTSS a+24(FP), Z24
	MOVQ x_base+32(FP), SI
	SHRQ $4, CX
	JZ   done

loop:
	VMOVUPS     (DI), Z0
	VFMADD231PS (SI), Z24, Z0
	VMOVUPS     Z0, (DI)
	ADDQ        $64, DI
	ADDQ        $64, SI
	DECQ        CX
	JNZ         loop

done:
	VZEROUPPER
	RET

// func scaleAVX512(x []float32, a float32)
TEXT ·scaleAVX512(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), DI
	MOVQ x_len+8(FP), CX
	VBROADCASTSS a+24(FP), Z24
	SHRQ $4, CX
	JZ   done

loop:
	VMULPS  (DI), Z24, Z0
	VMOVUPS Z0, (DI)
	ADDQ    $64, DI
	DECQ    CX
	JNZ     loop

done:
	VZEROUPPER
	RET

// func sumSquaresAVX512(x []float32) float64
TEXT ·sumSquaresAVX512(SB), NOSPLIT, $0-32
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	SHRQ $4, CX
	JZ   done

loop:
	VCVTPS2PD   (SI), Z2
	VCVTPS2PD   32(SI), Z3
	VFMADD231PD Z2, Z2, Z0
	VFMADD231PD Z3, Z3, Z1
	ADDQ        $64, SI
	DECQ        CX
	JNZ         loop

done:
	VADDPD        Z1, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VADDPD        Y1, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VADDPD        X1, X0, X0
	VPERMILPD     $1, X0, X1
	VADDSD        X1, X0, X0
	VMOVSD        X0, ret+24(FP)
	VZEROUPPER
	RET

// The moments of latents that are never kept decay to denormals, which make some
// processors a hundred times slower: it flushes denormals to zero.
//
// func adamAVX512(w, m, v, g []float32, p *adam)
TEXT ·adamAVX512(SB), NOSPLIT, $8-104
	MOVQ w_base+0(FP), DI
	MOVQ w_len+8(FP), CX
	MOVQ m_base+24(FP), R8
	MOVQ v_base+48(FP), R9
	MOVQ g_base+72(FP), R10
	MOVQ p+96(FP), SI
	VBROADCASTSS 0(SI), Z16  // weight
	VBROADCASTSS 4(SI), Z17  // beta1
	VBROADCASTSS 8(SI), Z18  // gain1
	VBROADCASTSS 12(SI), Z19 // beta2
	VBROADCASTSS 16(SI), Z20 // gain2
	VBROADCASTSS 20(SI), Z21 // step
	VBROADCASTSS 24(SI), Z22 // root
	VBROADCASTSS 28(SI), Z23 // eps
	STMXCSR old-8(SP)
	MOVL old-8(SP), AX
	ORL  $0x8040, AX
	MOVL AX, new-4(SP)
	LDMXCSR new-4(SP)
	XORQ DX, DX
	SHRQ $4, CX
	JZ   done
	VPXORD Z0, Z0, Z0
	TESTQ R10, R10
	JZ   still

loop:
	VMOVUPS (R10)(DX*1), Z0

still:
	VMULPS       (R8)(DX*1), Z17, Z1
	VFMADD231PS  Z18, Z0, Z1
	VMOVUPS      Z1, (R8)(DX*1)
	VMULPS       Z20, Z0, Z2
	VMULPS       Z0, Z2, Z2
	VFMADD231PS  (R9)(DX*1), Z19, Z2
	VMOVUPS      Z2, (R9)(DX*1)
	VSQRTPS      Z2, Z2
	VFMADD213PS  Z23, Z22, Z2
	VDIVPS       Z2, Z1, Z1
	VMULPS       (DI)(DX*1), Z16, Z3
	VFNMADD231PS Z21, Z1, Z3
	VMOVUPS      Z3, (DI)(DX*1)
	ADDQ  $64, DX
	DECQ  CX
	JZ    done
	TESTQ R10, R10
	JNZ   loop
	JMP   still

done:
	LDMXCSR old-8(SP)
	VZEROUPPER
	RET

// It rounds the scaled numbers to the nearest int16. The caller's scale keeps them in
// range.
//
// func quantizeAVX512(dst, src []float32, scale float32)
TEXT ·quantizeAVX512(SB), NOSPLIT, $0-52
	MOVQ dst_base+0(FP), DI
	MOVQ src_base+24(FP), SI
	MOVQ src_len+32(FP), CX
	VBROADCASTSS scale+48(FP), Z24
	SHRQ $4, CX
	JZ   done

loop:
	VMULPS    (SI), Z24, Z0
	VCVTPS2DQ Z0, Z0
	VPMOVSDW  Z0, Y0
	VMOVDQU   Y0, (DI)
	ADDQ      $64, SI
	ADDQ      $32, DI
	DECQ      CX
	JNZ       loop

done:
	VZEROUPPER
	RET

// func largestAVX512(x []float32) float32
TEXT ·largestAVX512(SB), NOSPLIT, $0-28
	MOVQ x_base+0(FP), SI
	MOVQ x_len+8(FP), CX
	VPXORD Z0, Z0, Z0
	VPXORD Z1, Z1, Z1
	VPXORD Z3, Z3, Z3
	SHRQ $4, CX
	JZ   done

loop:
	VMOVUPS (SI), Z2
	VMAXPS  Z2, Z0, Z0
	VMINPS  Z2, Z1, Z1
	ADDQ    $64, SI
	DECQ    CX
	JNZ     loop

done:
	VSUBPS        Z1, Z3, Z1
	VMAXPS        Z1, Z0, Z0
	VEXTRACTF64X4 $1, Z0, Y1
	VMAXPS        Y1, Y0, Y0
	VEXTRACTF128  $1, Y0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0x4e, X0, X1
	VMAXPS        X1, X0, X0
	VPERMILPS     $0xb1, X0, X1
	VMAXPS        X1, X0, X0
	VMOVSS        X0, ret+24(FP)
	VZEROUPPER
	RET
