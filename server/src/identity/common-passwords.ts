/**
 * Passwords that are guessed first: the 49,000 most common ones of leaked lists, which `@zxcvbn-ts/language-common`
 * brings. Read when the first password is set, since most processes never set one.
 */
let list: Promise<ReadonlySet<string>> | undefined

/** In any case, and written several times in a row. `password` is normalised. */
export async function isCommonPassword(password: string): Promise<boolean> {
  const common = await (list ??= load())
  const folded = password.toLowerCase()
  return common.has(folded) || common.has(unitOf(folded))
}

async function load(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  return new Set(dictionary['passwords-common'] as readonly string[])
}

/** The shortest text of which `text` is a repetition: itself, where it is none. */
function unitOf(text: string): string {
  return text.slice(0, `${text}${text}`.indexOf(text, 1))
}
