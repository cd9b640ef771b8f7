/**
 * Back-channel logout (OpenID Connect Back-Channel Logout 1.0): the engine tells each client once; one that does not
 * answer is told again, some times, with a longer pause each time. A process that ends meanwhile tells nobody more: the
 * client's tokens are dead whether it hears of it or not.
 */
import type { Provider } from 'oidc-provider'
import { coarseNetwork } from '../kernel/index.ts'
import { evidenceIfAny } from './evidence.ts'
import type { OAuthPorts } from './ports.ts'

const PAUSES_MS = [1_000, 5_000, 30_000, 120_000]
const MOST_WAITING = 1_000

interface LogoutClient {
  readonly clientId: string
  backchannelLogout(sub: string, sid: string | undefined): Promise<void>
}

export function retryLogouts(provider: Provider, { activity }: Pick<OAuthPorts, 'activity'>): void {
  let waiting = 0
  const note = (code: string, client: LogoutClient, network: string): void =>
    activity.record({
      kind: 'backchannel_logout',
      code,
      route: '/session/end',
      network,
      credential: client.clientId,
    })

  const again = (
    client: LogoutClient,
    sub: string,
    sid: string | undefined,
    network: string,
    round: number,
  ): void => {
    const pause = PAUSES_MS[round]
    if (pause === undefined || waiting >= MOST_WAITING) return note('given_up', client, network)
    waiting++
    setTimeout(() => {
      waiting--
      client.backchannelLogout(sub, sid).then(
        () => note('delivered', client, network),
        () => again(client, sub, sid, network, round + 1),
      )
    }, pause).unref()
  }

  const on = provider as unknown as NodeJS.EventEmitter
  const networkNow = (): string => coarseNetwork(evidenceIfAny()?.ip ?? '')
  on.on('backchannel.success', (_ctx, client: LogoutClient) => note('delivered', client, networkNow()))
  on.on('backchannel.error', (_ctx, _error, client: LogoutClient, sub: string, sid: string | undefined) => {
    note('failed', client, networkNow())
    again(client, sub, sid, networkNow(), 0)
  })
}
