/**
 * The engine (oidc-provider) with its gaps closed, and exchanged as a whole when the signing keys change: it reads them
 * once, when it is made. Several generations share one storage, so nothing is lost between them.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type Interaction, type InteractionResults, Provider } from 'oidc-provider'
import { findClient, matchesSecret, TOKEN_EXCHANGE } from '../clients/index.ts'
import { newId, PosternError } from '../kernel/index.ts'
import { GRANT_MEMBERS, mintWithOurKeys } from './access-token.ts'
import { retryLogouts } from './backchannel-logout.ts'
import { privilegesOf } from './client-metadata.ts'
import { basePath } from './endpoints.ts'
import { engineConfiguration } from './engine-configuration.ts'
import { watchEngine } from './engine-events.ts'
import { endSignInAtLogout } from './end-sign-in.ts'
import { nameReplacements } from './gone-grants.ts'
import { inOneWrite } from './one-write.ts'
import { grantPlainly, type PlainRequest, type PlainToken } from './plain-client-credentials.ts'
import type { OAuthPorts } from './ports.ts'
import { withGrace } from './refresh-grace.ts'
import { API_KEY_CLIENT, EXCHANGE_PARAMETERS, tokenExchange } from './token-exchange.ts'
import { answerForAccessTokens } from './token-status.ts'

type Callback = (req: IncomingMessage, res: ServerResponse) => Promise<void>

export class OAuthEngine {
  readonly #ports: OAuthPorts
  readonly #stop: () => void
  #provider: Provider
  #callback: Callback

  constructor(ports: OAuthPorts) {
    this.#ports = ports
    this.#provider = makeProvider(ports)
    this.#callback = this.#provider.callback() as Callback
    this.#stop = ports.signingKeys.onChange(() => this.#rebuild())
  }

  /** Answers one request. `path` is where the engine has it; `ip` is the caller's, through trusted proxies alone. */
  async handle(req: IncomingMessage, res: ServerResponse, path: string, ip: string): Promise<void> {
    pinToIssuer(req, this.#ports.issuer, path, ip)
    await this.#callback(req, res)
  }

  /** An ordinary token for a machine, without the engine's machinery; undefined where that has to decide. */
  async grantPlainly(request: PlainRequest): Promise<PlainToken | undefined> {
    return grantPlainly(this.#ports, this.#provider, request)
  }

  /** The authorization that waits for this browser; throws `SessionNotFound` of the engine when there is none. */
  async interactionOf(req: IncomingMessage, res: ServerResponse, ip: string): Promise<Interaction> {
    pinToIssuer(req, this.#ports.issuer, undefined, ip)
    return this.#provider.interactionDetails(req, res)
  }

  /** Answers where the browser goes on. */
  async finishInteraction(
    req: IncomingMessage,
    res: ServerResponse,
    result: InteractionResults,
  ): Promise<string> {
    return this.#provider.interactionResult(req, res, result, {
      mergeWithLastSubmission: !('error' in result),
    })
  }

  get provider(): Provider {
    return this.#provider
  }

  close(): void {
    this.#stop()
  }

  #rebuild(): void {
    this.#provider = makeProvider(this.#ports)
    this.#callback = this.#provider.callback() as Callback
  }
}

/** What stands around handlers of the engine's own grants. */
const AROUND: Readonly<Record<string, typeof withGrace | undefined>> = {
  authorization_code: inOneWrite,
  refresh_token: withGrace,
}

export function makeProvider(ports: OAuthPorts): Provider {
  /** The engine registers its own grants while it is made. */
  class OurProvider extends Provider {
    override registerGrantType(
      name: string,
      handler: (ctx: never) => unknown,
      params?: Iterable<string>,
      duplicates?: Iterable<string>,
    ): void {
      const around = AROUND[name]
      const ours = around ? around(ports, handler as never) : handler
      super.registerGrantType(name, ours as never, params as never, duplicates as never)
    }
  }
  const provider = new OurProvider(ports.issuer, {
    ...engineConfiguration(ports),
    clients: [
      {
        client_id: API_KEY_CLIENT,
        client_name: 'Holders of API keys',
        grant_types: [TOKEN_EXCHANGE],
        response_types: [],
        redirect_uris: [],
        token_endpoint_auth_method: 'none',
      },
    ],
  })
  // What it would take from X-Forwarded-* is put there by pinToIssuer, and by nobody else.
  provider.proxy = true
  keepClients(provider, ports)
  nameGrants(provider, ports)
  compareSecretDigests(provider, ports)
  seeProofsOnce(provider, ports)
  keepNewSessions(provider)
  mintWithOurKeys(provider, ports)
  answerForAccessTokens(provider, ports)
  nameReplacements(provider)
  endSignInAtLogout(provider, ports.people)
  provider.registerGrantType(TOKEN_EXCHANGE, tokenExchange(ports) as never, EXCHANGE_PARAMETERS, ['resource'])
  sayWhenStorageIsAway(provider)
  watchEngine(provider, ports)
  retryLogouts(provider, ports)
  return provider
}

/** Endpoint URLs come from the Host header, and a proof's `htu` is compared with them: nobody else says what they are. */
function pinToIssuer(req: IncomingMessage, issuer: string, path: string | undefined, ip: string): void {
  const { host, protocol } = new URL(issuer)
  for (const name of Object.keys(req.headers))
    if (name.startsWith('x-forwarded-') || name === 'forwarded') delete req.headers[name]
  req.headers['host'] = host
  req.headers['x-forwarded-proto'] = protocol.slice(0, -1)
  req.headers['x-forwarded-for'] = ip
  if (path === undefined) return
  const base = basePath(issuer)
  const query = (req.url ?? '').indexOf('?')
  req.url = path + (query < 0 ? '' : (req.url ?? '').slice(query))
  if (base !== '') (req as { originalUrl?: string }).originalUrl = base + req.url
}

/**
 * The engine finds its clients by a digest of their whole metadata, written out at each request. The row is read each time
 * here as well; the client that was made of it is kept beside it.
 */
function keepClients(provider: Provider, { storage }: OAuthPorts): void {
  const { Client } = provider as unknown as { Client: { find(id: unknown): Promise<object | undefined> } }
  const find = Client.find.bind(Client)
  const made = new WeakMap<object, object>()
  Client.find = async (id) => {
    if (typeof id !== 'string' || !id.startsWith('cli_')) return find(id)
    const stored = await findClient(storage, id)
    if (!stored || stored.disabledAtMs !== null) return undefined
    const known = made.get(stored)
    if (known) return known
    const client = await find(id)
    if (client) made.set(stored, client)
    return client
  }
}

/** Grants have our ids, because tokens and the feed name them, and members of ours. */
function nameGrants(provider: Provider, { clock }: OAuthPorts): void {
  const { Grant } = provider as unknown as {
    Grant: { IN_PAYLOAD: string[]; prototype: { generateTokenId(): string } }
  }
  const members = [...Grant.IN_PAYLOAD, ...GRANT_MEMBERS]
  Object.defineProperty(Grant, 'IN_PAYLOAD', { get: () => members })
  Grant.prototype.generateTokenId = () => newId('gra', clock)
}

function compareSecretDigests(provider: Provider, { clock }: OAuthPorts): void {
  const { prototype } = provider.Client as unknown as {
    prototype: { compareClientSecret(this: object, presented: string): boolean }
  }
  prototype.compareClientSecret = function compareClientSecret(presented) {
    const secrets = privilegesOf(this)?.secrets ?? []
    return matchesSecret(secrets, presented, clock.nowMs()) !== undefined
  }
}

/**
 * A form that fails (the page where a device's code is typed) is shown again with a token that the session holds. The
 * engine forgets that the session may be new, and fails itself.
 */
function keepNewSessions(provider: Provider): void {
  interface EngineSession {
    exp?: number
    persist(): Promise<unknown>
    save(seconds: number): Promise<unknown>
  }
  const { prototype } = (provider as unknown as { Session: { prototype: EngineSession } }).Session
  // eslint-disable-next-line typescript/unbound-method -- called with its own `this`.
  const { persist } = prototype
  prototype.persist = function (this: EngineSession) {
    return this.exp === undefined ? this.save(NEW_SESSION_SECONDS) : persist.call(this)
  }
}

const NEW_SESSION_SECONDS = 600

/** The engine looks first and stores afterwards; here one of many at once is the first. */
function seeProofsOnce(provider: Provider, { artifacts, clock }: OAuthPorts): void {
  const model = (
    provider as unknown as {
      ReplayDetection: { unique(issuer: string, id: string, expiresAtSeconds: number): Promise<boolean> }
    }
  ).ReplayDetection
  model.unique = (issuer, id, expiresAtSeconds) => {
    // Nothing that is taken lives longer; a proof of the year 9999 must not stay until then.
    const latestMs = clock.nowMs() + LONGEST_PROOF_MS
    return artifacts.seeOnce(
      'ReplayDetection',
      JSON.stringify([issuer, id]),
      Math.min(expiresAtSeconds * 1000, latestMs),
    )
  }
}

const LONGEST_PROOF_MS = 86_400_000

/** A database that is away is no fault of the request: it may be sent again. */
function sayWhenStorageIsAway(provider: Provider): void {
  provider.on('server_error', (ctx, error) => {
    if (!(error instanceof PosternError) || error.code !== 'storage_unavailable') return
    ctx.status = 503
    ctx.set('Retry-After', '1')
    ctx.body = { error: 'temporarily_unavailable', error_description: error.message }
  })
}
