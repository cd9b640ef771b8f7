/** GET /jwks and /v1/signing-keys */
import type { FastifyInstance } from 'fastify'
import { Type, type Static } from 'typebox'
import { declareRoute, IdParams, Nullable, Reason, Rfc3339, sendJson } from '../http/index.ts'
import { requireDeployment, rfc3339 } from '../kernel/index.ts'
import { revokeSigningKey, rotateSigningKey, type SigningKeyPorts } from './change-signing-keys.ts'
import { JWKS_CACHE_SECONDS, SIGNING_ALGORITHMS, type SigningKey } from './signing-key.ts'
import { selectAllKeys } from './signing-key-store.ts'
import type { SigningKeys } from './signing-keys.ts'

export interface SigningKeyRoutes extends SigningKeyPorts {
  readonly signingKeys: SigningKeys
  readonly issuer: string
}

const Time = Nullable(Rfc3339)
const SigningKeyBody = Type.Object({
  id: Type.String({ description: 'The `kid`: the RFC 7638 thumbprint of the public key.' }),
  algorithm: Type.Enum([...SIGNING_ALGORITHMS]),
  state: Type.Enum(['next', 'active', 'retiring', 'gone', 'revoked']),
  created_at: Rfc3339,
  activates_at: Type.Union([Rfc3339, Type.Null()], {
    description: 'Of a next key: when it begins to sign.',
  }),
  activated_at: Time,
  retired_at: Time,
  ends_at: Type.Union([Rfc3339, Type.Null()], {
    description: 'Of a retiring key: when the last token that it signed has expired.',
  }),
  revoked_at: Time,
  revoked_reason: Nullable(Type.String()),
})

/** Several years of rotations; whoever revokes more keys than that sees the newest. */
const MOST_LISTED = 200
const tags = ['Signing keys']
const access = { kind: 'management', scope: 'deployment:write' } as const

export function signingKeyRoutes(server: FastifyInstance, ports: SigningKeyRoutes): void {
  const { signingKeys, storage, issuer } = ports
  const path = new URL(issuer).pathname.replace(/\/$/, '')

  // Metadata names the one under the issuer's path, where it has one.
  for (const url of new Set(['/jwks', `${path}/jwks`]))
    declareRoute(server, {
      method: 'GET',
      url,
      access: { kind: 'public', why: 'public keys: every verifier reads them' },
      summary: 'The public keys that tokens are signed with',
      description:
        'RFC 7517. A key stands here before it signs, and until the last token that it signed has expired.',
      tags,
      documented: url === '/jwks',
      schema: { response: { 200: Type.Object({ keys: Type.Array(Type.Unknown()) }) } },
      handler(request, reply) {
        const { body, etag } = signingKeys.jwks()
        reply.header('cache-control', `public, max-age=${JWKS_CACHE_SECONDS}`).header('etag', etag)
        return request.headers['if-none-match'] === etag ? reply.status(304).send() : sendJson(reply, body)
      },
    })

  declareRoute(server, {
    method: 'GET',
    url: '/v1/signing-keys',
    access,
    summary: 'List the signing keys, never their private parts',
    tags,
    schema: { response: { 200: Type.Object({ data: Type.Array(SigningKeyBody) }) } },
    async handler({ caller }) {
      requireDeployment(caller, 'Reading the signing keys')
      return { data: (await selectAllKeys(storage, MOST_LISTED)).map(presentSigningKey) }
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/signing-keys/rotate',
    access,
    summary: 'Rotate the signing key',
    description:
      'The next key is published now and signs from `activates_at` on, when the caches of verifiers have it. No valid token is refused.',
    tags,
    schema: {
      body: Type.Object({
        // Not an enum: an operation says why HS256 is refused, a schema cannot.
        algorithm: Type.Optional(Type.String({ maxLength: 20, description: 'ES256 unless told.' })),
      }),
      response: { 200: SigningKeyBody },
    },
    async handler({ caller, body }) {
      const key = await rotateSigningKey(ports, caller, body.algorithm)
      await signingKeys.refresh()
      return presentSigningKey(key)
    },
  })

  declareRoute(server, {
    method: 'POST',
    url: '/v1/signing-keys/:id/revoke',
    access,
    summary: 'Revoke a signing key',
    description:
      'For a key that may have been stolen: every token that it signed stops working at once, and another key signs at once. This cannot be undone.',
    tags,
    schema: {
      params: IdParams,
      body: Type.Object({ reason: Type.Optional(Reason) }),
      response: { 200: SigningKeyBody },
    },
    async handler({ caller, params, body }) {
      const key = await revokeSigningKey(ports, caller, params.id, body.reason)
      await signingKeys.refresh()
      return presentSigningKey(key)
    },
  })
}

function presentSigningKey(key: SigningKey): Static<typeof SigningKeyBody> {
  return {
    id: key.kid,
    algorithm: key.algorithm,
    state: key.state,
    created_at: rfc3339(key.createdAtMs),
    activates_at: key.state === 'next' ? rfc3339(key.activatesAtMs) : null,
    activated_at: rfc3339(key.activatedAtMs),
    retired_at: rfc3339(key.retiredAtMs),
    ends_at: key.state === 'retiring' ? rfc3339(key.endsAtMs) : null,
    revoked_at: rfc3339(key.revokedAtMs),
    revoked_reason: key.revokedReason,
  }
}
