/** What /v1/verify decided. */
import type { WireVerdict } from '../wire.ts'
import type { Output } from './output.ts'

export async function printVerdict(out: Output, answer: WireVerdict): Promise<void> {
  if (!answer.valid)
    return out.card([
      ['valid', { text: 'no', style: 'bad' }],
      ['code', answer.code],
      ['why', answer.detail],
    ])
  const { principal } = answer
  const { type, id, environment } = principal.credential
  await out.card([
    ['valid', { text: 'yes', style: 'good' }],
    ['subject', principal.sub],
    ['tenant', principal.tenant],
    ['resource', principal.resource],
    ['scopes', principal.scopes.join(' ') || '(none)'],
    ['credential', `${type} ${id} (${environment})`],
    ['expires', out.time(principal.expires_at, 'never')],
  ])
}
