/** What the handlers refuse, as problem documents (RFC 9457), out of a closed set. */
import type { Answer } from './incoming.ts'

const PROBLEMS = {
  not_found: { status: 404, detail: 'There is no such page.' },
  method_not_allowed: { status: 405, detail: 'This address takes another method.' },
  cross_site: { status: 403, detail: 'The request did not come from a page of this application.' },
  invalid_return_address: {
    status: 400,
    detail: 'The address to return to must be a path of this application.',
  },
  invalid_request: { status: 400, detail: 'The request is not as it should be.' },
  not_signed_in: { status: 401, detail: 'Nobody is signed in.' },
  unavailable: { status: 503, detail: 'The sign-in service cannot be reached right now.' },
} as const

export type ProblemCode = keyof typeof PROBLEMS

export function problem(code: ProblemCode, cookies: readonly string[] = []): Answer {
  const { status, detail } = PROBLEMS[code]
  return {
    status,
    headers: [
      ['content-type', 'application/problem+json'],
      ['cache-control', 'no-store'],
      ...(status === 503 ? [['retry-after', '1'] as const] : []),
      ...cookies.map((cookie) => ['set-cookie', cookie] as const),
    ],
    body: JSON.stringify({ type: 'about:blank', status, code, detail }),
  }
}
