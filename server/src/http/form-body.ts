/**
 * A form's body (application/x-www-form-urlencoded), parsed strictly: no parameter twice (what one reader takes from the
 * first, another takes from the last), no malformed escape, no NUL, at most 40 parameters.
 */
import { invalid, PosternError } from '../kernel/index.ts'

const MOST_PARAMETERS = 40

export function parseForm(bytes: Buffer): Record<string, string> {
  const text = bytes.toString('latin1')
  const pairs = text === '' ? [] : text.split('&', MOST_PARAMETERS + 1)
  if (pairs.length > MOST_PARAMETERS)
    throw new PosternError('invalid_request', `The form has more than ${MOST_PARAMETERS} fields.`)
  const form = new Map<string, string>()
  for (const pair of pairs) {
    const equals = pair.indexOf('=')
    const name = decode(equals < 0 ? pair : pair.slice(0, equals))
    if (form.has(name)) throw invalid('', 'A field of the form comes twice.')
    form.set(name, equals < 0 ? '' : decode(pair.slice(equals + 1)))
  }
  // `fromEntries` defines members, so that a field named `__proto__` is a member like any other.
  return Object.fromEntries(form)
}

/** UTF-8 in percent escapes; a byte above 127 that is not escaped is not a form's. */
function decode(text: string): string {
  try {
    // eslint-disable-next-line no-control-regex -- what may not stand in a body unescaped.
    if (/[^\x20-\x7E]/.test(text)) throw new Error('not ASCII')
    const value = decodeURIComponent(text.replaceAll('+', ' '))
    if (!value.includes('\0')) return value
  } catch {
    // One answer for all of them.
  }
  throw invalid('', 'The form has a malformed escape.')
}
