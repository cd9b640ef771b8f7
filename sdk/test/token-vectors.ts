/**
 * Access tokens, good and faulty, and what each is answered: one table for the server and the SDK, whose readings must
 * never differ. Times are counted from `NOW_MS`.
 */
import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

export const NOW_MS = Date.parse('2026-01-01T00:00:00Z')
export const ISSUER = 'https://auth.example.com'
export const RESOURCE = 'https://api.example.com'
export const KID = 'key-1'

export interface TokenVector {
  readonly name: string
  readonly token: string
  /** `valid`, or the denial's code. */
  readonly expected: string
}

type Members = Readonly<Record<string, unknown>>

const NOW = NOW_MS / 1000
const CLAIMS: Members = {
  iss: ISSUER,
  sub: 'usr_1',
  aud: RESOURCE,
  exp: NOW + 900,
  iat: NOW,
  jti: 'tok_1',
  client_id: 'cli_1',
  tenant: 'ten_1',
  scope: 'orders:read',
  rsn: 4711,
}
const HEADER: Members = { alg: 'ES256', typ: 'at+jwt', kid: KID }

/** Text as it stands, or what becomes JSON; a member that is undefined is left out. */
type Part = Members | string

const encoded = (part: Part) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

/** The vectors, signed with `key`; a public key of `KID` verifies them. */
export function tokenVectors(key: KeyObject, publicPem: string): TokenVector[] {
  const es256 = (input: string, by = key) =>
    sign('sha256', Buffer.from(input), { key: by, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  const token = (claims: Part, header: Part = HEADER, signed: (input: string) => string = es256) => {
    const input = `${encoded(header)}.${encoded(claims)}`
    return `${input}.${signed(input)}`
  }
  const claimed = (changes: Members) => token({ ...CLAIMS, ...changes })
  const headed = (changes: Members) => token(CLAIMS, { ...HEADER, ...changes })
  const good = token(CLAIMS)
  const [head, payload, signature] = good.split('.') as [string, string, string]
  const another = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const twice = JSON.stringify(CLAIMS).replace('{', '{"sub":"usr_2",')

  const vectors: readonly (readonly [string, string, string])[] = [
    ['good', good, 'valid'],
    ['application/at+jwt', headed({ typ: 'application/AT+JWT' }), 'valid'],
    [
      'everything that a token may have',
      claimed({
        nbf: NOW,
        roles: ['a'],
        sid: 's',
        gid: 'g',
        acr: '1',
        amr: ['pwd'],
        auth_time: NOW,
        anc: ['key_1'],
        act: { sub: 'usr_2', act: { sub: 'cli_2' } },
        cnf: { jkt: 'x'.repeat(43) },
      }),
      'valid',
    ],
    ['a minute ahead', claimed({ iat: NOW + 60 }), 'valid'],
    ['several audiences', claimed({ aud: ['https://other.example.com', RESOURCE] }), 'valid'],
    ['not three parts', `${head}.${payload}`, 'malformed'],
    ['four parts', `${good}.${signature}`, 'malformed'],
    ['an empty signature', `${head}.${payload}.`, 'malformed'],
    ['padding', `${head}.${payload}=.${signature}`, 'malformed'],
    ['a loose last character', `${head}.${payload}.${loosened(signature)}`, 'malformed'],
    ['base64 with + and /', `${head}.${payload}.${signature.slice(0, -2)}+/`, 'malformed'],
    ['another signature', `${head}.${payload}.${es256('x', another)}`, 'unknown'],
    [
      'a signature by DER',
      `${head}.${payload}.${sign('sha256', Buffer.from(`${head}.${payload}`), key).toString('base64url')}`,
      'unknown',
    ],
    ['a changed payload', `${head}.${encoded({ ...CLAIMS, sub: 'usr_2' })}.${signature}`, 'unknown'],
    ['none', token(CLAIMS, { ...HEADER, alg: 'none' }, () => 'AA'), 'malformed'],
    [
      'HS256 with the public key',
      token(CLAIMS, { ...HEADER, alg: 'HS256' }, (input) =>
        createHmac('sha256', publicPem).update(input).digest('base64url'),
      ),
      'malformed',
    ],
    ['another algorithm', headed({ alg: 'RS256' }), 'malformed'],
    ['no algorithm', headed({ alg: undefined }), 'malformed'],
    ['an ID token', headed({ typ: 'JWT' }), 'unsupported'],
    ['no type', headed({ typ: undefined }), 'unsupported'],
    ['a type that is no text', headed({ typ: 7 }), 'malformed'],
    ['no kid', headed({ kid: undefined }), 'malformed'],
    ['a kid that is a path', headed({ kid: '../../etc/passwd' }), 'unknown'],
    ['a kid that is a list', headed({ kid: [KID] }), 'malformed'],
    ['an empty kid', headed({ kid: '' }), 'malformed'],
    ['an endless kid', headed({ kid: 'k'.repeat(201) }), 'malformed'],
    ...['crit', 'jwk', 'jku', 'x5u', 'x5c', 'b64', 'enc', 'zip'].map(
      (name) => [name, headed({ [name]: name === 'crit' ? ['exp'] : 'x' }), 'malformed'] as const,
    ),
    [
      'a header with a member twice',
      token(CLAIMS, `{"alg":"none",${JSON.stringify(HEADER).slice(1)}`),
      'malformed',
    ],
    ['a payload with a member twice', token(twice), 'malformed'],
    ['a payload with __proto__', token(JSON.stringify(CLAIMS).replace('{', '{"__proto__":{},')), 'malformed'],
    ['a payload that is a list', token('[]'), 'malformed'],
    ['a payload that is no JSON', token('{'), 'malformed'],
    [
      'a payload nested too deep',
      token(`{"x":${'['.repeat(40)}${']'.repeat(40)},${JSON.stringify(CLAIMS).slice(1)}`),
      'malformed',
    ],
    ['another issuer', claimed({ iss: 'https://auth.example.org' }), 'unknown'],
    ['the issuer with a slash', claimed({ iss: `${ISSUER}/` }), 'unknown'],
    ['another audience', claimed({ aud: 'https://other.example.com' }), 'wrong_resource'],
    ['an audience that begins alike', claimed({ aud: `${RESOURCE}/` }), 'wrong_resource'],
    ['no audiences', claimed({ aud: [] }), 'malformed'],
    ['expired this second', claimed({ exp: NOW }), 'expired'],
    ['from the future', claimed({ iat: NOW + 61 }), 'not_yet_valid'],
    ['not before', claimed({ nbf: NOW + 61 }), 'not_yet_valid'],
    ...['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'tenant', 'rsn'].map(
      (name) => [`no ${name}`, claimed({ [name]: undefined }), 'malformed'] as const,
    ),
    ['exp as text', claimed({ exp: String(NOW + 900) }), 'malformed'],
    ['exp as a fraction', claimed({ exp: NOW + 0.5 }), 'malformed'],
    ['a position as text', claimed({ rsn: '4711' }), 'malformed'],
    ['a position below zero', claimed({ rsn: -1 }), 'malformed'],
    ['a position beyond the integers', claimed({ rsn: 2 ** 53 }), 'malformed'],
    ['a subject with a line break', claimed({ sub: 'usr_1\n' }), 'malformed'],
    ['half a character', claimed({ sub: '\ud800' }), 'malformed'],
    ['a confirmation of another kind', claimed({ cnf: { 'x5t#S256': 'x' } }), 'malformed'],
    ['actors five deep', claimed({ act: nested(5) }), 'malformed'],
    [
      'nine ancestors',
      claimed({ anc: Array.from({ length: 9 }, (_, index) => `key_${index}`) }),
      'malformed',
    ],
    ['too long', claimed({ scope: 'x'.repeat(7_000) }), 'malformed'],
  ]
  return vectors.map(([name, token, expected]) => ({ name, token, expected }))
}

function nested(depth: number): Members {
  return depth === 1 ? { sub: 'usr_2' } : { sub: 'usr_2', act: nested(depth - 1) }
}

/** The same bytes, written otherwise: a bit set that the last character has left over. */
function loosened(signature: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return signature.slice(0, -1) + alphabet[alphabet.indexOf(signature.slice(-1)) + 1]
}
