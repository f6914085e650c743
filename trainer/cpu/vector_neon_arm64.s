#include "textflag.h"

#define FADD4(m, n, d)  WORD $(0x4e20d400 | m<<16 | n<<5 | d)
#define FADDP4(m, n, d) WORD $(0x6e20d400 | m<<16 | n<<5 | d) // neighbours

#define ZERO(v) VEOR v.B16, v.B16, v.B16

#define ZERO4(a, b, c, d) \
	ZERO(a) \
	ZERO(b) \
	ZERO(c) \
	ZERO(d)

// Sets a pointer to a row: base is R1, the length of a row in bytes R2, and its number
// is at (ids).
#define ROWAT(off, p) \
	MOVW off(R3), p  \
	MUL  R2, p       \
	ADD  R1, p

// Multiplies sixteen numbers of the row at p by those in V16 … V19, and adds the
// products to four sums.
#define DOT(p, c0, c1, c2, c3) \
	VLD1.P 64(p), [V20.S4, V21.S4, V22.S4, V23.S4] \
	VFMLA  V16.S4, V20.S4, c0.S4                   \
	VFMLA  V17.S4, V21.S4, c1.S4                   \
	VFMLA  V18.S4, V22.S4, c2.S4                   \
	VFMLA  V19.S4, V23.S4, c3.S4

// Stores the sum of the sixteen lanes of four vectors.
#define PUTSUM(v, c0, c1, c2, c3) \
	FADD4(c1, c0, c0)  \
	FADD4(c3, c2, c2)  \
	FADD4(c2, c0, c0)  \
	FADDP4(c0, c0, c0) \
	FADDP4(c0, c0, c0) \
	VST1.P v.S[0], 4(R0)

// func dotsNEON(dst, v, base []float32, rows []int32)
TEXT ·dotsNEON(SB), NOSPLIT, $0-96
	MOVD dst_base+0(FP), R0
	MOVD v_base+24(FP), R4
	MOVD v_len+32(FP), R5
	MOVD base_base+48(FP), R1
	MOVD rows_base+72(FP), R3
	MOVD rows_len+80(FP), R6
	LSL  $2, R5, R2

four:
	CMP  $4, R6
	BLT  rest
	ROWAT(0, R8)
	ROWAT(4, R9)
	ROWAT(8, R10)
	ROWAT(12, R11)
	ZERO4(V0, V1, V2, V3)
	ZERO4(V4, V5, V6, V7)
	ZERO4(V8, V9, V10, V11)
	ZERO4(V12, V13, V14, V15)
	MOVD R4, R7
	MOVD R5, R12

fourloop:
	VLD1.P 64(R7), [V16.S4, V17.S4, V18.S4, V19.S4]
	DOT(R8, V0, V1, V2, V3)
	DOT(R9, V4, V5, V6, V7)
	DOT(R10, V8, V9, V10, V11)
	DOT(R11, V12, V13, V14, V15)
	SUBS   $16, R12
	BNE    fourloop
	PUTSUM(V0, 0, 1, 2, 3)
	PUTSUM(V4, 4, 5, 6, 7)
	PUTSUM(V8, 8, 9, 10, 11)
	PUTSUM(V12, 12, 13, 14, 15)
	ADD    $16, R3
	SUB    $4, R6
	B      four

rest:
	CBZ  R6, done
	ROWAT(0, R8)
	ZERO4(V0, V1, V2, V3)
	MOVD R4, R7
	MOVD R5, R12

restloop:
	VLD1.P 64(R7), [V16.S4, V17.S4, V18.S4, V19.S4]
	DOT(R8, V0, V1, V2, V3)
	SUBS   $16, R12
	BNE    restloop
	PUTSUM(V0, 0, 1, 2, 3)
	ADD    $4, R3
	SUB    $1, R6
	B      rest

done:
	RET

// Adds sixteen columns of the row at R8 times the coefficient in V24.
#define ADDROW(c0, c1, c2, c3) \
	VLD1.P 64(R8), [V16.S4, V17.S4, V18.S4, V19.S4] \
	VFMLA  V24.S4, V16.S4, c0.S4                    \
	VFMLA  V24.S4, V17.S4, c1.S4                    \
	VFMLA  V24.S4, V18.S4, c2.S4                    \
	VFMLA  V24.S4, V19.S4, c3.S4

// It takes columns in blocks of 64 and of 16, which stay in registers while all rows
// are added.
//
// func combineNEON(dst, init, coef, base []float32, rows []int32)
TEXT ·combineNEON(SB), NOSPLIT, $0-120
	MOVD dst_base+0(FP), R0
	MOVD dst_len+8(FP), R5       // columns left
	MOVD init_base+24(FP), R4
	MOVD coef_base+48(FP), R10
	MOVD base_base+72(FP), R1    // moves on with the columns
	MOVD rows_base+96(FP), R11
	MOVD rows_len+104(FP), R12
	LSL  $2, R5, R2

wide:
	CMP  $64, R5
	BLT  narrow
	ZERO4(V0, V1, V2, V3)
	ZERO4(V4, V5, V6, V7)
	ZERO4(V8, V9, V10, V11)
	ZERO4(V12, V13, V14, V15)
	CBZ  R4, widestart
	VLD1.P 64(R4), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R4), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1.P 64(R4), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1.P 64(R4), [V12.S4, V13.S4, V14.S4, V15.S4]

widestart:
	MOVD R11, R3
	MOVD R10, R6
	MOVD R12, R7
	CBZ  R7, wideend

wideloop:
	ROWAT(0, R8)
	ADD     $4, R3
	VLD1R.P 4(R6), [V24.S4]
	ADDROW(V0, V1, V2, V3)
	ADDROW(V4, V5, V6, V7)
	ADDROW(V8, V9, V10, V11)
	ADDROW(V12, V13, V14, V15)
	SUBS    $1, R7
	BNE     wideloop

wideend:
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R0)
	VST1.P [V8.S4, V9.S4, V10.S4, V11.S4], 64(R0)
	VST1.P [V12.S4, V13.S4, V14.S4, V15.S4], 64(R0)
	ADD    $256, R1
	SUB    $64, R5
	B      wide

narrow:
	CBZ  R5, done
	ZERO4(V0, V1, V2, V3)
	CBZ  R4, narrowstart
	VLD1.P 64(R4), [V0.S4, V1.S4, V2.S4, V3.S4]

narrowstart:
	MOVD R11, R3
	MOVD R10, R6
	MOVD R12, R7
	CBZ  R7, narrowend

narrowloop:
	ROWAT(0, R8)
	ADD     $4, R3
	VLD1R.P 4(R6), [V24.S4]
	ADDROW(V0, V1, V2, V3)
	SUBS    $1, R7
	BNE     narrowloop

narrowend:
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	ADD    $64, R1
	SUB    $16, R5
	B      narrow

done:
	RET

// func axpyNEON(dst []float32, a float32, x []float32)
TEXT ·axpyNEON(SB), NOSPLIT, $0-56
	MOVD  dst_base+0(FP), R0
	MOVD  dst_len+8(FP), R5
	FMOVS a+24(FP), F24
	VDUP  V24.S[0], V24.S4
	MOVD  x_base+32(FP), R8
	CBZ   R5, done

loop:
	VLD1  (R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	ADDROW(V0, V1, V2, V3)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	SUBS  $16, R5
	BNE   loop

done:
	RET
