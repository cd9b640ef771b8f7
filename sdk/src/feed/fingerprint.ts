/**
 * SipHash-2-4 with 128 bits of output, over the UTF-16 units of a text: a fingerprint that stands in for a feed row's
 * name. It is keyed with this process's own randomness, so nobody can look for names that collide, and it is synchronous
 * on every runtime.
 */

export type FingerprintKey = readonly [number, number, number, number]

/** 32-bit words kept of the 128 bits: 96 bits tell any number of rows apart. */
export const WORDS = 3

export function randomKey(): FingerprintKey {
  return [...crypto.getRandomValues(new Int32Array(4))] as unknown as FingerprintKey
}

/** Writes the first `WORDS` words of the fingerprint of `text` into `out`, from `at`. */
export function fingerprint(key: FingerprintKey, text: string, out: Int32Array, at: number): void {
  const [k0l, k0h, k1l, k1h] = key
  // Each 64-bit word is two halves: `l` the lower, `h` the higher.
  let v0l = k0l ^ 0x70736575
  let v0h = k0h ^ 0x736f6d65
  let v1l = k1l ^ 0x6e646f6d ^ 0xee
  let v1h = k1h ^ 0x646f7261
  let v2l = k0l ^ 0x6e657261
  let v2h = k0h ^ 0x6c796765
  let v3l = k1l ^ 0x79746573
  let v3h = k1h ^ 0x74656462

  const { length } = text
  const whole = length & ~3
  // One more turn than there are blocks for the last one with the length, then two to finish.
  for (let index = 0, step = 0; step < 3; index += 4) {
    let ml = 0
    let mh = 0
    let rounds = 2
    if (index < whole) {
      ml = text.charCodeAt(index) | (text.charCodeAt(index + 1) << 16)
      mh = text.charCodeAt(index + 2) | (text.charCodeAt(index + 3) << 16)
    } else if (step === 0) {
      step = 1
      const rest = length - whole
      if (rest > 0) ml = text.charCodeAt(whole)
      if (rest > 1) ml |= text.charCodeAt(whole + 1) << 16
      if (rest > 2) mh = text.charCodeAt(whole + 2)
      mh |= ((length * 2) & 0xff) << 24
    } else if (step === 1) {
      step = 2
      rounds = 4
      v2l ^= 0xee
    } else {
      step = 3
      rounds = 4
      out[at] = v0l ^ v1l ^ v2l ^ v3l
      out[at + 1] = v0h ^ v1h ^ v2h ^ v3h
      v1l ^= 0xdd
    }
    v3l ^= ml
    v3h ^= mh
    for (; rounds > 0; rounds--) {
      let sum = (v0l + v1l) | 0
      v0h = (v0h + v1h + (sum >>> 0 < v0l >>> 0 ? 1 : 0)) | 0
      v0l = sum
      let low = (v1l << 13) | (v1h >>> 19)
      v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h
      v1l = low ^ v0l
      low = v0l
      v0l = v0h
      v0h = low

      sum = (v2l + v3l) | 0
      v2h = (v2h + v3h + (sum >>> 0 < v2l >>> 0 ? 1 : 0)) | 0
      v2l = sum
      low = (v3l << 16) | (v3h >>> 16)
      v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h
      v3l = low ^ v2l

      sum = (v0l + v3l) | 0
      v0h = (v0h + v3h + (sum >>> 0 < v0l >>> 0 ? 1 : 0)) | 0
      v0l = sum
      low = (v3l << 21) | (v3h >>> 11)
      v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h
      v3l = low ^ v0l

      sum = (v2l + v1l) | 0
      v2h = (v2h + v1h + (sum >>> 0 < v2l >>> 0 ? 1 : 0)) | 0
      v2l = sum
      low = (v1l << 17) | (v1h >>> 15)
      v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h
      v1l = low ^ v2l
      low = v2l
      v2l = v2h
      v2h = low
    }
    v0l ^= ml
    v0h ^= mh
  }
  out[at + 2] = v0l ^ v1l ^ v2l ^ v3l
}
