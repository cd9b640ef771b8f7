/** Reads the fields of a form, from a stream of bytes; bounded, since anyone may send one. */

const LARGEST_BYTES = 65_536
const FORM = /^application\/x-www-form-urlencoded\s*(;|$)/i

/** Undefined when it is none, is too large, or breaks off. */
export async function readForm(
  contentType: string | undefined,
  body: AsyncIterable<unknown> | null,
): Promise<URLSearchParams | undefined> {
  if (contentType === undefined || !FORM.test(contentType)) return undefined
  const decoder = new TextDecoder()
  let text = ''
  let length = 0
  try {
    for await (const chunk of body ?? []) {
      const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : (chunk as Uint8Array)
      length += bytes.byteLength
      if (length > LARGEST_BYTES) return undefined
      text += decoder.decode(bytes, { stream: true })
    }
  } catch {
    return undefined
  }
  return new URLSearchParams(text + decoder.decode())
}

/** The fields again, where a parser of the framework was there first. */
export function parsedForm(body: unknown): URLSearchParams | undefined {
  if (typeof body === 'string') return new URLSearchParams(body)
  if (typeof body !== 'object' || body === null) return undefined
  const form = new URLSearchParams()
  for (const [name, value] of Object.entries(body))
    for (const one of Array.isArray(value) ? value : [value])
      if (typeof one === 'string') form.append(name, one)
  return form
}
