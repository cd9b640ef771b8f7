/**
 * A Postern server in memory, as far as a verifier sees it: it issues keys and tokens, revokes them, tells the feed, and
 * fails on demand. No port is opened: verifiers reach it through their option `fetch`.
 */
import { bytesOf, encodeBase64url } from '../base64url.ts'
import { checksumOf } from '../key-format.ts'
import { parseOptions, type VerifierOptions } from '../options.ts'
import { subjectKey } from '../refs.ts'
import { buildVerifier, type Verifier } from '../verifier.ts'
import { settle, TestClock } from './test-clock.ts'
import { TestFeed, type TestRow } from './test-feed.ts'

type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

export interface TestIssuerOptions {
  /** The API whose verifiers are tested. Default `https://api.example.com`. */
  readonly resource?: string
  /** How long its answers may be kept. Default 60. */
  readonly cacheSeconds?: number
}

/** What goes wrong from now on. */
export interface Faults {
  /** Of questions about one credential. `slow`: answered after a second. */
  server: 'up' | 'down' | 'slow'
  /**
   * Of the feed. `half-open`: connections stay and say nothing; `buffered`: a proxy collects the stream and passes
   * nothing on; `lumps`: it passes on what it collected every 2.5 seconds; `silent`: the server lost its database and
   * sends no heartbeats.
   */
  feed: 'up' | 'down' | 'half-open' | 'buffered' | 'lumps' | 'silent'
}

export interface IssueOptions {
  readonly sub?: string
  readonly tenant?: string
  readonly scopes?: readonly string[]
  readonly lifetimeSeconds?: number
}

export interface TokenOptions extends IssueOptions {
  /** Claims beside or in place of those that every token has. */
  readonly claims?: Readonly<Record<string, unknown>>
  readonly header?: Readonly<Record<string, unknown>>
}

export interface Issued {
  /** What it is revoked by: the key's id or the token's `jti`. */
  readonly id: string
  readonly text: string
}

interface Held {
  readonly principal: Readonly<Record<string, unknown>>
  readonly refs: readonly string[]
  readonly rsn: number
  readonly expiresAtMs: number | undefined
}

export const TEST_TENANT = 'ten_0000000000000000000001'
const SERVER = 'https://postern.test'
const ISSUER = SERVER
const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const TERMINAL_KINDS = new Set(['token', 'api_key', 'session', 'grant', 'signing_key', 'proof_key'])

export async function createTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const clock = new TestClock()
  const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
    'sign',
    'verify',
  ])
  return new TestIssuer(options, clock, pair.privateKey, await crypto.subtle.exportKey('jwk', pair.publicKey))
}

export class TestIssuer {
  readonly clock: TestClock
  readonly faults: Faults = { server: 'up', feed: 'up' }
  readonly resource: string
  readonly kid = 'test-key-1'
  readonly feed: TestFeed
  /** Every question about a credential, in order. */
  readonly questions: Readonly<Record<string, unknown>>[] = []
  readonly #cacheSeconds: number
  readonly #privateKey: CryptoKey
  readonly #held = new Map<string, Held>()
  #count = 0

  constructor(
    { resource = 'https://api.example.com', cacheSeconds = 60 }: TestIssuerOptions,
    clock: TestClock,
    privateKey: CryptoKey,
    publicKey: object,
  ) {
    this.clock = clock
    this.resource = resource
    this.#cacheSeconds = cacheSeconds
    this.#privateKey = privateKey
    this.feed = new TestFeed(clock, this.faults, {
      issuer: ISSUER,
      tenant: null,
      resources: [
        {
          id: 'res_0000000000000000000001',
          uri: resource,
          created_at: new Date(clock.nowMs() - 86_400_000).toISOString(),
          cache_seconds: cacheSeconds,
        },
      ],
      jwks: { keys: [{ ...publicKey, kid: this.kid, alg: 'ES256', use: 'sig' }] },
    })
  }

  /** A verifier that asks this issuer and lives by its clock. */
  createVerifier(options: Partial<VerifierOptions> = {}): Verifier {
    const config = parseOptions({
      server: SERVER,
      credential: 'postern_test_verifier',
      resource: this.resource,
      fetch: this.fetch,
      ...options,
    })
    return buildVerifier(config, this.clock)
  }

  /** A verifier whose feed is live. */
  async createLiveVerifier(options: Partial<VerifierOptions> = {}): Promise<Verifier> {
    const verifier = this.createVerifier(options)
    void verifier.ready()
    await settle()
    return verifier
  }

  issueKey({
    sub = 'acct_7',
    tenant = TEST_TENANT,
    scopes = [],
    lifetimeSeconds,
  }: IssueOptions = {}): Issued {
    const id = this.#id('key')
    const body = Array.from(crypto.getRandomValues(new Uint8Array(44)), (byte) => ALPHABET[byte % 62]).join(
      '',
    )
    const text = `sk_live_${body}${checksumOf(`sk_live_${body}`)}`
    const expiresAtMs =
      lifetimeSeconds === undefined ? undefined : this.clock.nowMs() + lifetimeSeconds * 1000
    const principal = this.#principal({ sub, tenant, scopes, type: 'api_key', id }, expiresAtMs)
    const refs = [
      `api_key:${id}`,
      `tenant:${tenant}`,
      `subject:${subjectKey(tenant, sub)}`,
      this.#resourceRef(),
    ]
    this.#held.set(text, { principal, refs, rsn: this.feed.head, expiresAtMs })
    return { id, text }
  }

  /** An access token (RFC 9068), 15 minutes long unless told. */
  async issueToken(options: TokenOptions = {}): Promise<Issued> {
    const { sub = 'acct_7', tenant = TEST_TENANT, scopes = [], lifetimeSeconds = 900, claims = {} } = options
    const nowSeconds = Math.floor(this.clock.nowMs() / 1000)
    const payload = {
      iss: ISSUER,
      sub,
      aud: this.resource,
      exp: nowSeconds + lifetimeSeconds,
      iat: nowSeconds,
      jti: this.#id('tok'),
      client_id: 'cli_0000000000000000000001',
      scope: scopes.join(' '),
      tenant,
      rsn: this.feed.head,
      ...claims,
    }
    const header = { alg: 'ES256', typ: 'at+jwt', kid: this.kid, ...options.header }
    const text = await this.sign(header, payload)
    const { jti: id, rsn, exp } = payload
    const principal = this.#principal({ sub, tenant, scopes, type: 'access_token', id }, exp * 1000)
    const refs = [
      `token:${id}`,
      `tenant:${tenant}`,
      `subject:${subjectKey(tenant, sub)}`,
      `client:${payload.client_id}`,
      `signing_key:${this.kid}`,
      this.#resourceRef(),
    ]
    this.#held.set(text, { principal, refs, rsn, expiresAtMs: exp * 1000 })
    return { id, text }
  }

  /** Any header and payload, signed with the issuer's key. */
  async sign(header: object, payload: object | string): Promise<string> {
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload)
    const input = `${encoded(JSON.stringify(header))}.${encoded(text)}`
    const algorithm = { name: 'ECDSA', hash: 'SHA-256' }
    const signature = await crypto.subtle.sign(algorithm, this.#privateKey, bytesOf(input))
    return `${input}.${encodeBase64url(new Uint8Array(signature))}`
  }

  /** Ends what is named, as the management API does: `revoke('api_key', id)`, `revoke('tenant', TEST_TENANT)`. */
  revoke(kind: string, key: string): TestRow {
    return this.feed.publish(kind, key, 'revoked')
  }

  /** Tells verifiers to ask again about what depends on it. */
  change(kind: string, key: string): TestRow {
    return this.feed.publish(kind, key, 'changed')
  }

  /** What a verifier is given as `fetch`. */
  readonly fetch: typeof fetch = async (input, init = {}) => {
    const url = new URL(String(input))
    const signal = init.signal ?? undefined
    if (url.pathname.startsWith('/v1/feed/')) return this.feed.answer(url, signal)
    if (this.faults.server === 'down') throw new TypeError('fetch failed')
    if (this.faults.server === 'slow') await new Promise<void>((resolve) => this.clock.after(1000, resolve))
    const question = JSON.parse(String(init.body)) as Record<string, unknown>
    if (url.pathname === '/v1/usage/reports') return Response.json({ taken: true, ignored: 0 })
    this.questions.push(question)
    return Response.json(this.#decide(String(question['credential'])))
  }

  /** Lets go of what it has issued so far, as if it had never been: for measuring what a verifier keeps. */
  forget(): void {
    this.#held.clear()
    this.questions.length = 0
  }

  #decide(text: string): object {
    const held = this.#held.get(text)
    const asOf = this.feed.head
    const refused = (code: string) => ({ valid: false, code, detail: '', as_of: asOf })
    if (!held) return refused('unknown')
    const { principal, refs, rsn, expiresAtMs } = held
    if (this.feed.rows.some((row) => ends(row, refs, rsn))) return refused('revoked')
    if (expiresAtMs !== undefined && expiresAtMs <= this.clock.nowMs()) return refused('expired')
    const isKey = (principal['credential'] as { type: string }).type === 'api_key'
    const expires = expiresAtMs === undefined ? {} : { expires_at: new Date(expiresAtMs).toISOString() }
    return {
      valid: true,
      principal,
      constraints: { environment: 'live', browser: !isKey, ...expires },
      as_of: asOf,
      cache_seconds: this.#cacheSeconds,
      limits: [],
      refs,
    }
  }

  #principal(
    about: { sub: string; tenant: string; scopes: readonly string[]; type: string; id: string },
    expiresAtMs: number | undefined,
  ): Held['principal'] {
    const { sub, tenant, scopes, type, id } = about
    return {
      sub,
      sub_type: sub.startsWith('usr_') ? 'user' : sub.startsWith('cli_') ? 'client' : 'external',
      tenant,
      resource: this.resource,
      scopes,
      roles: [],
      credential: { type, id, environment: 'live' },
      ...(expiresAtMs !== undefined && { expires_at: new Date(expiresAtMs).toISOString() }),
    }
  }

  #resourceRef(): string {
    return 'resource:res_0000000000000000000001'
  }

  #id(prefix: string): string {
    return `${prefix}_${String(++this.#count).padStart(22, '0')}`
  }
}

function ends({ kind, key, effect, seq }: TestRow, refs: readonly string[], rsn: number): boolean {
  if (!refs.includes(`${kind}:${key}`) || effect === 'changed') return false
  return effect === 'deleted' || TERMINAL_KINDS.has(kind) || seq > rsn
}

function encoded(text: string): string {
  return encodeBase64url(new TextEncoder().encode(text))
}
