/** A scope with its description: `orders:read=Read orders`. Scopes themselves hold colons, so it is not one that divides. */

export interface ScopeInput {
  readonly name: string
  readonly description: string
}

export function parseScope(text: string): ScopeInput {
  const at = text.indexOf('=')
  const [name, description] = at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
  if (name === '' || /\s/.test(name)) throw new Error('Expected a scope, or "orders:read=What it allows".')
  return { name, description: description.trim() }
}
