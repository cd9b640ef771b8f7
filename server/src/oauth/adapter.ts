/** The engine's storage: clients are ours, everything else is an artifact. One for each of its models. */
import { type Adapter, type AdapterPayload, errors } from 'oidc-provider'
import { type Artifacts, findClient } from '../clients/index.ts'
import type { Clock } from '../kernel/index.ts'
import type { TokenBuckets } from '../limits/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Storage } from '../storage/index.ts'
import { toMetadata } from './client-metadata.ts'
import { evidence, evidenceIfAny } from './evidence.ts'
import { register } from './registration.ts'

export interface AdapterPorts {
  readonly storage: Storage
  readonly clock: Clock
  readonly artifacts: Artifacts
  readonly changes: Changes
  readonly registrations: TokenBuckets
}

export function adapterFactory(ports: AdapterPorts): (model: string) => Adapter {
  return (model) => (model === 'Client' ? new ClientAdapter(ports) : new ArtifactAdapter(ports, model))
}

class ArtifactAdapter implements Adapter {
  readonly #ports: AdapterPorts
  readonly #model: string

  constructor(ports: AdapterPorts, model: string) {
    this.#ports = ports
    this.#model = model
  }

  async upsert(id: string, payload: AdapterPayload, expiresInSeconds: number): Promise<void> {
    const { artifacts, clock } = this.#ports
    const { rsn, held } = evidence()
    const artifact = {
      model: this.#model,
      id,
      payload: payload as Record<string, unknown>,
      rsn,
      expiresAtMs: clock.nowMs() + expiresInSeconds * 1000,
    }
    if (held) return void held.saved.push(artifact)
    const saved = await artifacts.save(artifact)
    // Somebody else's misuse ended the grant while this request was under way.
    if (!saved) throw new errors.InvalidGrant('the grant has ended')
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    const payload = (await this.#ports.artifacts.find(this.#model, id)) as AdapterPayload | undefined
    // The engine would end the grant at once; consuming says what it has to know.
    if (payload && this.#isSpared()) delete payload.consumed
    return payload
  }

  async findByUid(uid: string): Promise<AdapterPayload | undefined> {
    return this.#ports.artifacts.findByUid(this.#model, uid) as Promise<AdapterPayload | undefined>
  }

  async findByUserCode(userCode: string): Promise<AdapterPayload | undefined> {
    return this.#ports.artifacts.findByUserCode(this.#model, userCode) as Promise<AdapterPayload | undefined>
  }

  /** The engine looked before it came here and ignores what this answers: only an exception stops the second of two. */
  async consume(id: string): Promise<void> {
    const held = evidenceIfAny()?.held
    if (held) return void (held.consumed = { model: this.#model, id })
    if ((await this.#ports.artifacts.consume(this.#model, id)) === 'consumed') return
    if (this.#model === 'PushedAuthorizationRequest')
      throw new errors.InvalidRequestUri('request_uri is invalid, expired, or was already used')
    throw new errors.InvalidGrant(`${this.#model} was presented twice`)
  }

  #isSpared(): boolean {
    return this.#model === 'RefreshToken' && evidenceIfAny()?.graceful === true
  }

  destroy(id: string): Promise<void> {
    return this.#ports.artifacts.destroy(this.#model, id)
  }

  revokeByGrantId(grantId: string): Promise<void> {
    return this.#ports.artifacts.revokeGrant(grantId, 'revoked')
  }
}

/** Read from the primary each time: a client that was disabled a moment ago is not found. */
class ClientAdapter implements Adapter {
  readonly #ports: AdapterPorts

  constructor(ports: AdapterPorts) {
    this.#ports = ports
  }

  async find(id: string): Promise<AdapterPayload | undefined> {
    if (!id.startsWith('cli_')) return undefined
    const client = await findClient(this.#ports.storage, id)
    return client && client.disabledAtMs === null ? (toMetadata(client) as AdapterPayload) : undefined
  }

  async findByUid(): Promise<undefined> {}
  async findByUserCode(): Promise<undefined> {}

  /** Only where the deployment has dynamic registration: otherwise the engine never comes here. */
  async upsert(id: string, metadata: AdapterPayload): Promise<void> {
    await register(this.#ports, this.#ports.registrations, id, metadata)
  }
  async destroy(): Promise<void> {
    throw new errors.InvalidRequest('clients are deleted by operators')
  }
  async consume(): Promise<void> {}
  async revokeByGrantId(): Promise<void> {}
}
