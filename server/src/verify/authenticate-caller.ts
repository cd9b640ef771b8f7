/** Who calls the management API: the same verify, for the management resource. */
import {
  type Access,
  type Authenticate,
  type Caller,
  coarseNetwork,
  type CredentialedRequest,
  denial,
  type Denial,
  DEPLOYMENT_TENANT,
  keysInUrl,
  MANAGEMENT_SCOPES,
  MANAGEMENT_URI,
  systemCaller,
} from '../kernel/index.ts'
import type { DecisionMeter } from './decision-meter.ts'
import { readCredential } from './read-credential.ts'
import type { Decision, Proven, Verifier } from './verify.ts'
import type { VerifyRequest } from './verify-request.ts'

const EVERYWHERE = { tenant: null, resources: null } as const

/** `systemToken`: the command line's, when it works on the data folder in its own process. It never leaves it. */
export function createAuthenticate(
  verifier: Verifier,
  meter: DecisionMeter,
  systemToken?: string,
): Authenticate {
  const system = systemCaller(MANAGEMENT_SCOPES.map((scope) => scope.name))

  return (request: CredentialedRequest, access: Exclude<Access, { kind: 'public' }>) => {
    const exposed = keysInUrl(request.url)
    if (exposed.length > 0) return refuseExposed(verifier, meter, request, exposed[0] as string)
    const sent = readCredential(request)
    if ('valid' in sent) return sent
    // Operators hold keys, and those are bound to nothing.
    if (sent.scheme === 'dpop') return denial('unsupported')
    const credential = sent.text
    if (systemToken !== undefined && credential === systemToken) return system

    const question: VerifyRequest = {
      credential,
      resource: MANAGEMENT_URI,
      scopes: [],
      ip: request.ip,
      origin: one(request.headers['origin']),
      secFetchSite: one(request.headers['sec-fetch-site']),
      environment: 'live',
      reach: EVERYWHERE,
    }
    const settle = (decision: Decision): Caller | Denial => {
      meter.noteCaller(decision, { route: 'management', ip: request.ip })
      // Operators hold keys; tokens for this API come with users who are operators.
      const type = decision.presented?.principal.credential.type
      if (!decision.denial && type !== 'api_key') return denial('unsupported')
      return decision.denial ?? callerOf(decision.presented as Proven, request.ip)
    }
    const decision = access.kind === 'verifier' ? verifier.verify(question) : verifier.verifyFresh(question)
    return decision instanceof Promise ? decision.then(settle) : settle(decision)
  }
}

async function refuseExposed(
  verifier: Verifier,
  meter: DecisionMeter,
  request: CredentialedRequest,
  text: string,
): Promise<Denial> {
  const presented = await verifier.ownerOfExposed(text)
  const refusal = denial('exposed_in_url')
  meter.noteCaller(
    { denial: refusal, presented, reply: '', asOf: 0 },
    { route: 'management', ip: request.ip },
  )
  return refusal
}

function callerOf({ principal, boundResources }: Proven, ip: string): Caller {
  return {
    type: 'operator',
    id: principal.credential.id,
    tenant: principal.tenant === DEPLOYMENT_TENANT ? null : principal.tenant,
    scopes: principal.scopes,
    resources: boundResources ?? null,
    network: coarseNetwork(ip),
  }
}

function one(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}
