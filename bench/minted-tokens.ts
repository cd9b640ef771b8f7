/** Access tokens of a deployment, as its token endpoint signs them, in any number: minted with its own signing keys. */
import { randomUUID } from 'node:crypto'
import { openDeployment } from '../server/src/app.ts'
import { loadConfig } from '../server/src/config.ts'
import { systemClock } from '../server/src/kernel/index.ts'
import { mintAccessToken, SigningKeys, type SigningAlgorithm } from '../server/src/tokens/index.ts'
import { type BenchDeployment, environment, RESOURCE, ROOT_SECRET } from './postern.ts'

export interface Minted {
  readonly tokens: readonly string[]
  /** The `jti` of each. */
  readonly ids: readonly string[]
}

/** They live for an hour, and have about 650 bytes: a subject, a client and a grant. */
export async function mintTokens(
  { dataDir, databaseUrl, tenantId }: BenchDeployment,
  { issuer, count, algorithm = 'ES256' }: { issuer: string; count: number; algorithm?: SigningAlgorithm },
): Promise<Minted> {
  const config = loadConfig({ ...environment(dataDir, databaseUrl), POSTERN_ISSUER: issuer })
  const deployment = await openDeployment(config, { setUp: false })
  try {
    const signingKeys = new SigningKeys(deployment.storage, ROOT_SECRET, systemClock)
    await signingKeys.load()
    const iat = Math.floor(Date.now() / 1000)
    const ids = Array.from({ length: count }, () => randomUUID())
    const tokens = ids.map((jti, number) =>
      mintAccessToken(signingKeys, algorithm, {
        iss: issuer,
        sub: `usr_${String(number).padStart(22, '0')}`,
        aud: RESOURCE,
        exp: iat + 3_600,
        iat,
        jti,
        client_id: 'cli_0000000000000000000001',
        scope: 'orders:read orders:write',
        tenant: tenantId,
        gid: `gra_${String(number).padStart(22, '0')}`,
        rsn: deployment.feed.position,
      }),
    )
    return { tokens, ids }
  } finally {
    await deployment.close()
  }
}
