/**
 * The artifacts, with the guards that the engine leaves to its storage: consuming is atomic and the loser ends the grant;
 * what may be seen once is seen once; and whatever ends a grant writes its row of the feed in the same transaction.
 */
import { type Caller, deriveKey, open, seal, systemCaller } from '../kernel/index.ts'
import type { Changes } from '../revocation/index.ts'
import type { Storage, Transaction } from '../storage/index.ts'
import { type Artifact, idHash, linksOf, SEALED_MODELS } from './artifact.ts'
import {
  type ArtifactRow,
  deleteArtifact,
  deleteExpired,
  type Finder,
  insertOnce,
  lockArtifact,
  markConsumed,
  selectArtifact,
  upsertArtifact,
} from './artifact-store.ts'
import { endGrant } from './end-grant.ts'

/** `lost`: somebody was first, or it is not there. Its grant has been ended by then, unless it was spared. */
export type Consumption = 'consumed' | 'lost'

const BATCH = 500
const MOST_BATCHES = 40

export class Artifacts {
  readonly #storage: Storage
  readonly #changes: Changes
  readonly #sealingKey: Buffer

  constructor(storage: Storage, changes: Changes, rootSecret: string) {
    this.#storage = storage
    this.#changes = changes
    this.#sealingKey = deriveKey(rootSecret, 'oauth artifacts')
  }

  /** The payload with its id and `consumed` (Unix seconds) put back. Not whether it has expired: the engine asks that. */
  async find(model: string, id: string): Promise<Record<string, unknown> | undefined> {
    const payload = await this.#find(model, 'id_hash', idHash(model, id))
    return payload && { ...payload, jti: id }
  }

  findByUid(model: string, uid: string): Promise<Record<string, unknown> | undefined> {
    return this.#find(model, 'uid_hash', idHash(`${model} uid`, uid))
  }

  findByUserCode(model: string, userCode: string): Promise<Record<string, unknown> | undefined> {
    return this.#find(model, 'user_code_hash', idHash(`${model} user code`, userCode))
  }

  /** False when its grant has ended meanwhile: then nothing was stored. */
  async save(artifact: Artifact): Promise<boolean> {
    const row = this.#toRow(artifact)
    return this.#storage.write(async (tx) => {
      if (!(await isUnderItsGrant(tx, [row], 'share'))) return false
      await upsertArtifact(tx, row)
      return true
    })
  }

  /** For what may be presented once: true for the first, false for every other until it has expired. */
  async seeOnce(model: string, id: string, expiresAtMs: number): Promise<boolean> {
    const row = this.#toRow({ model, id, payload: {}, rsn: 0, expiresAtMs })
    return this.#storage.write((tx) => insertOnce(tx, row))
  }

  /**
   * One of many at once gets `consumed`. A second presentation means that it was stolen: RFC 9700, section 4.14.2.
   * `spare` leaves the grant to whoever finds out whether it was a retry. Whoever gets it stores `andSave` with it, all
   * of its own grant; nobody else does.
   */
  async consume(
    model: string,
    id: string,
    { spare = false, andSave = [] }: { spare?: boolean; andSave?: readonly Artifact[] } = {},
  ): Promise<Consumption> {
    const hash = idHash(model, id)
    const rows = andSave.map((artifact) => this.#toRow(artifact))
    return this.#storage.write(async (tx) => {
      // The grant's row first, as whoever ends it takes it: two losers who met here would wait for each other.
      if (!(await isUnderItsGrant(tx, rows, 'update'))) return 'lost'
      if (await markConsumed(tx, model, hash, this.#changes.clock.nowMs())) {
        for (const row of rows) await upsertArtifact(tx, row)
        return 'consumed'
      }
      if (spare) return 'lost'
      const used = await lockArtifact(tx, model, hash, 'share')
      if (used?.grant_id) await endGrant(tx, this.#changes, ENGINE, used.grant_id, `${model} presented twice`)
      return 'lost'
    })
  }

  /** An opaque access token is ended in the feed by its digest, a grant with all that came of it. */
  async destroy(model: string, id: string): Promise<void> {
    if (model === 'Grant') return this.revokeGrant(id, 'revoked')
    const hash = idHash(model, id)
    await this.#storage.write(async (tx) => {
      const row = await deleteArtifact(tx, model, hash)
      if (!row || (model !== 'AccessToken' && model !== 'ClientCredentials')) return
      this.#changes.record(tx, ENGINE, {
        action: 'token.revoked',
        tenant: row.tenant_id,
        target: { type: 'token', id: hash },
        data: { client: row.client_id },
        feed: { kind: 'token', key: hash, effect: 'revoked' },
      })
    })
  }

  /** Ends a grant and all that came of it. Doing it again changes nothing. */
  async revokeGrant(grantId: string, reason: string): Promise<void> {
    await this.#storage.write((tx) => endGrant(tx, this.#changes, ENGINE, grantId, reason))
  }

  /** Sweeps what has expired, in small batches, so that no writer waits long. Answers how many went. */
  async purge(): Promise<number> {
    let gone = 0
    for (let batch = 0; batch < MOST_BATCHES; batch++) {
      const now = await this.#storage.write((tx) => deleteExpired(tx, this.#changes.clock.nowMs(), BATCH))
      gone += now
      if (now < BATCH) break
    }
    return gone
  }

  async #find(model: string, by: Finder, hash: string): Promise<Record<string, unknown> | undefined> {
    const row = await selectArtifact(this.#storage, model, by, hash)
    if (!row) return undefined
    const payload = SEALED_MODELS.has(model)
      ? open(this.#sealingKey, row.payload, `${model} ${row.id_hash}`).toString()
      : row.payload
    return {
      ...(JSON.parse(payload) as Record<string, unknown>),
      ...(row.consumed_at !== null && { consumed: Math.floor(row.consumed_at / 1000) }),
    }
  }

  #toRow(artifact: Artifact): ArtifactRow {
    const { model, id, payload, rsn, expiresAtMs } = artifact
    const links = linksOf(artifact)
    const hash = idHash(model, id)
    const sealed = SEALED_MODELS.has(model)
    const { jti: _, consumed: __, ...kept } = payload
    const text = JSON.stringify(sealed ? { ...kept, jti: id } : kept)
    return {
      model,
      id_hash: hash,
      payload: sealed ? seal(this.#sealingKey, text, `${model} ${hash}`) : text,
      grant_id: links.grantId,
      uid_hash: links.uid === null ? null : idHash(`${model} uid`, links.uid),
      user_code_hash: links.userCode === null ? null : idHash(`${model} user code`, links.userCode),
      account_id: links.accountId,
      client_id: links.clientId,
      tenant_id: links.tenantId,
      rsn,
      expires_at: expiresAtMs,
      consumed_at: null,
    }
  }
}

/** False when the grant of these has ended. They get its tenant. */
async function isUnderItsGrant(
  tx: Transaction,
  rows: readonly ArtifactRow[],
  how: 'share' | 'update',
): Promise<boolean> {
  const [first] = rows
  if (!first || first.grant_id === null || first.model === 'Grant') return true
  const grant = await lockArtifact(tx, 'Grant', idHash('Grant', first.grant_id), how)
  for (const row of rows) row.tenant_id ??= grant?.tenant_id ?? null
  return grant !== undefined
}

/** Who the audit names: the engine acts for whoever holds the credential, and knows them by it alone. */
const ENGINE: Caller = systemCaller([])
