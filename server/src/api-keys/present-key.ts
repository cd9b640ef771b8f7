/** A key as the management API shows it. */
import { Type, type Static } from 'typebox'
import { Metadata, Nullable, Rfc3339 } from '../http/index.ts'
import { type Clock, DEPLOYMENT_TENANT, rfc3339 } from '../kernel/index.ts'
import type { ResourceUris } from '../resources/index.ts'
import { type ApiKey, type IssuedKey, KEY_STATUSES, keyStatus } from './api-key.ts'
import type { NetworkRow } from './list-store.ts'

const Time = Nullable(Rfc3339)

export const KeyBody = Type.Object({
  id: Type.String(),
  name: Type.String(),
  owner: Type.String(),
  tenant: Type.String(),
  resource: Type.String({ description: 'Its URI.' }),
  resource_id: Type.String(),
  scopes: Type.Array(Type.String()),
  environment: Type.Enum(['live', 'test']),
  prefix: Type.String({ description: 'The start of the key, up to its public look-up part.' }),
  lookup: Nullable(
    Type.String({ description: 'The public part that finds the key; null for imported keys.' }),
  ),
  last4: Nullable(Type.String()),
  imported: Type.Boolean(),
  status: Type.Enum([...KEY_STATUSES]),
  ip_allow: Type.Array(Type.String()),
  metadata: Metadata,
  created_at: Rfc3339,
  created_by: Type.String(),
  not_before: Time,
  expires_at: Time,
  disabled_at: Time,
  revoked_at: Time,
  revoked_reason: Nullable(Type.String()),
  rotated_at: Time,
  rotated_to: Nullable(Type.String()),
  rotated_from: Nullable(Type.String()),
  last_used_at: Time,
  last_used_network: Nullable(Type.String({ description: 'Coarse: a /24 of IPv4, a /48 of IPv6.' })),
})

export const IssuedKeyBody = Type.Object({
  ...KeyBody.properties,
  key: Type.String({ description: 'The key itself. It is shown this once and stored nowhere.' }),
})

export const NetworkBody = Type.Object({
  network: Type.String(),
  first_seen: Rfc3339,
  last_seen: Rfc3339,
  uses: Type.Integer(),
})

export const OperatorBody = Type.Object({
  id: Type.String(),
  name: Type.String(),
  owner: Type.String(),
  tenant: Nullable(Type.String({ description: 'Null: the whole deployment.' })),
  scopes: Type.Array(Type.String()),
  resources: Nullable(Type.Array(Type.String(), { description: 'The resource ids it is confined to.' })),
  status: Type.Enum([...KEY_STATUSES]),
  lookup: Nullable(Type.String()),
  last4: Nullable(Type.String()),
  created_at: Rfc3339,
  created_by: Type.String(),
  expires_at: Time,
  disabled_at: Time,
  revoked_at: Time,
  rotated_to: Nullable(Type.String()),
  rotated_from: Nullable(Type.String()),
  last_used_at: Time,
  last_used_network: Nullable(Type.String()),
})

export const IssuedOperatorBody = Type.Object({
  ...OperatorBody.properties,
  key: IssuedKeyBody.properties.key,
})

/** Shows keys with the URIs of their resources. Operators' keys need none. */
export class KeyPresenter {
  readonly #uris: ResourceUris
  readonly #clock: Clock

  constructor(uris: ResourceUris, clock: Clock) {
    this.#uris = uris
    this.#clock = clock
  }

  async keys(keys: readonly ApiKey[]): Promise<ShownKey[]> {
    await this.#uris.know(keys.map((key) => key.resourceId))
    const nowMs = this.#clock.nowMs()
    return keys.map((key) => ({ ...presentKey(key, nowMs), resource: this.#uris.uriOf(key.resourceId) }))
  }

  async key(key: ApiKey): Promise<ShownKey> {
    return (await this.keys([key]))[0] as ShownKey
  }

  async issued({ record, key }: IssuedKey): Promise<Static<typeof IssuedKeyBody>> {
    return { ...(await this.key(record)), key }
  }
}

type ShownKey = Static<typeof KeyBody>

function presentKey(key: ApiKey, nowMs: number): Omit<ShownKey, 'resource'> {
  return {
    id: key.id,
    name: key.name,
    owner: key.owner,
    tenant: key.tenantId,
    resource_id: key.resourceId,
    scopes: [...key.scopes],
    environment: key.environment,
    prefix: key.lookup === null ? key.prefix : `${key.prefix}_${key.environment}`,
    lookup: key.lookup,
    last4: key.last4,
    imported: key.importedAlgorithm !== null,
    status: keyStatus(key, nowMs),
    ip_allow: [...key.ipAllow],
    metadata: key.metadata,
    created_at: rfc3339(key.createdAtMs),
    created_by: key.createdBy,
    not_before: rfc3339(key.notBeforeMs),
    expires_at: rfc3339(key.expiresAtMs),
    disabled_at: rfc3339(key.disabledAtMs),
    revoked_at: rfc3339(key.revokedAtMs),
    revoked_reason: key.revokedReason,
    rotated_at: rfc3339(key.rotatedAtMs),
    rotated_to: key.rotatedTo,
    rotated_from: key.rotatedFrom,
    last_used_at: rfc3339(key.lastUsedAtMs),
    last_used_network: key.lastUsedNetwork,
  }
}

export function presentOperator(key: ApiKey, nowMs: number): Static<typeof OperatorBody> {
  const shown = presentKey(key, nowMs)
  return {
    id: shown.id,
    name: shown.name,
    owner: shown.owner,
    tenant: key.tenantId === DEPLOYMENT_TENANT ? null : key.tenantId,
    scopes: shown.scopes,
    resources: key.boundResources && [...key.boundResources],
    status: shown.status,
    lookup: shown.lookup,
    last4: shown.last4,
    created_at: shown.created_at,
    created_by: shown.created_by,
    expires_at: shown.expires_at,
    disabled_at: shown.disabled_at,
    revoked_at: shown.revoked_at,
    rotated_to: shown.rotated_to,
    rotated_from: shown.rotated_from,
    last_used_at: shown.last_used_at,
    last_used_network: shown.last_used_network,
  }
}

export function presentIssuedOperator(
  { record, key }: IssuedKey,
  nowMs: number,
): Static<typeof IssuedOperatorBody> {
  return { ...presentOperator(record, nowMs), key }
}

export function presentNetwork(row: NetworkRow): Static<typeof NetworkBody> {
  return {
    network: row.network,
    first_seen: rfc3339(row.first_seen),
    last_seen: rfc3339(row.last_seen),
    uses: Number(row.uses),
  }
}
