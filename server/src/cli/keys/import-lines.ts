/** A file of any size as numbered lines, with bounded memory. */

export interface NumberedLine {
  /** From 1. */
  readonly number: number
  /** Undefined: longer than any record may be. */
  readonly text: string | undefined
  /** Bytes read so far, this line included. */
  readonly bytes: number
}

/** More than the largest metadata and address list together. */
export const LONGEST_LINE_BYTES = 65_536
const LINE_FEED = 10

export async function* numberedLines(
  chunks: AsyncIterable<Uint8Array>,
): AsyncGenerator<NumberedLine, void, undefined> {
  let parts: Uint8Array[] = []
  let length = 0
  let number = 0
  let bytes = 0
  const line = (): NumberedLine => {
    const text =
      length > LONGEST_LINE_BYTES ? undefined : Buffer.concat(parts).toString('utf8').replace(/\r$/, '')
    parts = []
    length = 0
    number += 1
    return { number, text: number === 1 ? text?.replace(/^\uFEFF/, '') : text, bytes }
  }
  const take = (part: Uint8Array): void => {
    length += part.length
    // Of a line that is too long only its length is of interest.
    if (length <= LONGEST_LINE_BYTES) parts.push(part)
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      take(chunk.subarray(start, end))
      bytes += end + 1 - start
      start = end + 1
      yield line()
    }
    take(chunk.subarray(start))
    bytes += chunk.length - start
  }
  if (length > 0) yield line()
}
