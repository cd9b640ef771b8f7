/**
 * What `tokens` is compared with: oidc-provider alone, of the same version, with its in-memory storage, issuing ES256 JWTs
 * of the same claims to one client. Says its port.
 */
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Provider } from 'oidc-provider'
import { CLIENT, SECRET } from './bare-oauth-client.ts'

const RESOURCE = 'https://bench.example.com'
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const server = createServer()
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as AddressInfo
const provider = new Provider(`http://127.0.0.1:${port}`, {
  jwks: {
    keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'bench', alg: 'ES256', use: 'sig' } as never],
  },
  clients: [
    {
      client_id: CLIENT,
      client_secret: SECRET,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
      token_endpoint_auth_method: 'client_secret_basic',
      id_token_signed_response_alg: 'ES256',
    },
  ],
  extraTokenClaims: () => ({ tenant: 'ten_0000000000000000000000', rsn: 1_790_000_000_000_000 }),
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      getResourceServerInfo: () => ({
        scope: 'orders:read orders:write',
        audience: RESOURCE,
        accessTokenTTL: 900,
        accessTokenFormat: 'jwt' as const,
        jwt: { sign: { alg: 'ES256' as const } },
      }),
    },
  },
})
server.on('request', provider.callback())
process.stdout.write(`${port}\n`)
