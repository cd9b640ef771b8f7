/** Metadata as it is typed: `--metadata plan=gold` again and again, or one `--metadata '{"plan":"gold"}'`. */

/** Adds one more argument to what was gathered. Throws an Error that says what is expected. */
export function addMetadata(
  text: string,
  before: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  if (text.trimStart().startsWith('{')) return { ...before, ...jsonObject(text) }
  const at = text.indexOf('=')
  if (at < 1) throw new Error('Expected name=value, or a JSON object.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

export function jsonObject(text: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('This is not valid JSON.')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('Expected a JSON object.')
  return value as Record<string, unknown>
}
