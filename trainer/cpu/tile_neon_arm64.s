#include "textflag.h"

// These are instructions on vectors of four float32 that Go's assembler has no names
// for. Registers are given by number. FMLAI adds n·m[i] to d.
#define FMLAI(m, i, n, d) WORD $(0x4f801000 | (i&1)<<21 | m<<16 | (i>>1)<<11 | n<<5 | d)
#define FADD4(m, n, d)    WORD $(0x4e20d400 | m<<16 | n<<5 | d)
#define FMUL4(m, n, d)    WORD $(0x6e20dc00 | m<<16 | n<<5 | d)
#define FCMGE4(m, n, d)   WORD $(0x6e20e400 | m<<16 | n<<5 | d) // n >= m

#define ZERO(v) VEOR v.B16, v.B16, v.B16

#define ZERO4(a, b, c, d) \
	ZERO(a) \
	ZERO(b) \
	ZERO(c) \
	ZERO(d)

// Adds the products of two vectors of latents, V27 and V28, and token i of the four in
// vector a.
#define TOKEN(a, i, c0, c1) \
	FMLAI(a, i, 27, c0) \
	FMLAI(a, i, 28, c1)

// Adds the sums of a token to its row of out at R8, and moves R8 to the next row.
#define ADDOUT(c0, c1) \
	VLD1   (R8), [V27.S4, V28.S4] \
	FADD4(c0, 27, 27)             \
	FADD4(c1, 28, 28)             \
	VST1   [V27.S4, V28.S4], (R8) \
	ADD    $128, R8

// It takes twelve tokens by eight latents at a time: their sums fill 24 registers.
//
// func productNEON(a, w []float32, out *[12][32]float32)
TEXT ·productNEON(SB), NOSPLIT, $0-56
	MOVD a_base+0(FP), R0
	MOVD w_base+24(FP), R1
	MOVD w_len+32(FP), R3
	MOVD out+48(FP), R2
	LSR  $5, R3
	MOVD $4, R4

latents:
	ZERO4(V0, V1, V2, V3)
	ZERO4(V4, V5, V6, V7)
	ZERO4(V8, V9, V10, V11)
	ZERO4(V12, V13, V14, V15)
	ZERO4(V16, V17, V18, V19)
	ZERO4(V20, V21, V22, V23)
	MOVD R0, R5
	MOVD R1, R6
	MOVD R3, R7

word:
	VLD1.P 48(R5), [V24.S4, V25.S4, V26.S4]
	VLD1   (R6), [V27.S4, V28.S4]
	ADD    $128, R6
	TOKEN(24, 0, 0, 1)
	TOKEN(24, 1, 2, 3)
	TOKEN(24, 2, 4, 5)
	TOKEN(24, 3, 6, 7)
	TOKEN(25, 0, 8, 9)
	TOKEN(25, 1, 10, 11)
	TOKEN(25, 2, 12, 13)
	TOKEN(25, 3, 14, 15)
	TOKEN(26, 0, 16, 17)
	TOKEN(26, 1, 18, 19)
	TOKEN(26, 2, 20, 21)
	TOKEN(26, 3, 22, 23)
	SUBS   $1, R7
	BNE    word
	MOVD   R2, R8
	ADDOUT(0, 1)
	ADDOUT(2, 3)
	ADDOUT(4, 5)
	ADDOUT(6, 7)
	ADDOUT(8, 9)
	ADDOUT(10, 11)
	ADDOUT(12, 13)
	ADDOUT(14, 15)
	ADDOUT(16, 17)
	ADDOUT(18, 19)
	ADDOUT(20, 21)
	ADDOUT(22, 23)
	ADD    $32, R1
	ADD    $32, R2
	SUBS   $1, R4
	BNE    latents
	RET

// Each lane gathers one bit of each vector, at bits four apart. The bit is set where
// the value in V28 is not above V26. V30 holds 1, 2, 4, 8.
#define GATHER \
	VSHL $4, V29.S4, V29.S4           \
	FCMGE4(28, 26, 28)                \
	VAND V28.B16, V30.B16, V28.B16    \
	VORR V28.B16, V29.B16, V29.B16

// The complement of the gathered bits is a token's hit bits. It is stored at R5.
#define PUTHITS \
	VADDV V29.S4, V29        \
	VMOV  V29.S[0], R9       \
	MVNW  R9, R9             \
	MOVW.P R9, 4(R5)

#define BITS \
	MOVD  $0x0000000200000001, R9 \
	VMOV  R9, V30.D[0]            \
	MOVD  $0x0000000800000004, R9 \
	VMOV  R9, V30.D[1]

#define BOUND(off, unit, reach, bias) \
	FMOVQ off(R0), F27              \
	FMUL4(unit, 27, 27)             \
	VMOV  bias.B16, V28.B16         \
	VFMLA V24.S4, V27.S4, V28.S4    \
	VFMLA V25.S4, reach.S4, V28.S4  \
	FMOVQ F28, off(R0)              \
	GATHER

// func boundNEON(out *[12][32]float32, x *[2][12]float32, w *[4][32]float32, above *[12]float32, hit *[12]uint32)
TEXT ·boundNEON(SB), NOSPLIT, $0-40
	MOVD out+0(FP), R0
	MOVD x+8(FP), R1
	MOVD w+16(FP), R2
	MOVD above+24(FP), R3
	MOVD hit+32(FP), R5
	ADD  $48, R1, R4
	BITS
	VLD1.P 64(R2), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1.P 64(R2), [V4.S4, V5.S4, V6.S4, V7.S4]
	VLD1.P 64(R2), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1.P 64(R2), [V12.S4, V13.S4, V14.S4, V15.S4]
	VLD1.P 64(R2), [V16.S4, V17.S4, V18.S4, V19.S4]
	VLD1.P 64(R2), [V20.S4, V21.S4, V22.S4, V23.S4]
	MOVD $12, R7

token:
	VLD1R.P 4(R1), [V24.S4]
	VLD1R.P 4(R4), [V25.S4]
	VLD1R.P 4(R3), [V26.S4]
	ZERO(V29)
	BOUND(112, 7, V15, V23)
	BOUND(96, 6, V14, V22)
	BOUND(80, 5, V13, V21)
	BOUND(64, 4, V12, V20)
	BOUND(48, 3, V11, V19)
	BOUND(32, 2, V10, V18)
	BOUND(16, 1, V9, V17)
	BOUND(0, 0, V8, V16)
	PUTHITS
	ADD     $128, R0
	SUBS    $1, R7
	BNE     token
	RET

#define OVER(off) \
	FMOVQ off(R0), F28 \
	GATHER

// func overNEON(out *[12][32]float32, above *[12]float32, hit *[12]uint32)
TEXT ·overNEON(SB), NOSPLIT, $0-24
	MOVD out+0(FP), R0
	MOVD above+8(FP), R3
	MOVD hit+16(FP), R5
	BITS
	MOVD $12, R7

token:
	VLD1R.P 4(R3), [V26.S4]
	ZERO(V29)
	OVER(112)
	OVER(96)
	OVER(80)
	OVER(64)
	OVER(48)
	OVER(32)
	OVER(16)
	OVER(0)
	PUTHITS
	ADD     $128, R0
	SUBS    $1, R7
	BNE     token
	RET
