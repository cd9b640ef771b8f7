/** Scopes in words, grouped by the API they open. */

export interface ScopeView {
  readonly name: string
  /** What the API's owner says that it opens; empty: its name stands for it. */
  readonly description: string
}

export interface ScopeGroup {
  /** The API's name; undefined for what is about the person alone. */
  readonly api: string | undefined
  /** The API's address, so that two of one name are told apart. */
  readonly uri?: string | undefined
  /** It grants people only what their roles allow. */
  readonly byRole?: boolean | undefined
  readonly scopes: readonly ScopeView[]
}

/** OpenID Connect's own scopes (Core, section 5.4 and 11). `openid` alone says no more than who somebody is. */
const OPENID_WORDS: Readonly<Record<string, string>> = {
  openid: 'Know who you are',
  profile: 'See your name and username',
  email: 'See your e-mail address',
  phone: 'See your phone number',
  address: 'See your postal address',
  offline_access: 'Keep this access while you are away',
}

export function isOpenIdScope(name: string): boolean {
  return Object.hasOwn(OPENID_WORDS, name)
}

export function scopeInWords({ name, description }: ScopeView): string {
  return description.trim() || OPENID_WORDS[name] || name
}
