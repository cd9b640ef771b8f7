/** A refusal as the proxy can pass it on, straight to the socket. */
import type { ServerResponse } from 'node:http'
import { API_HEADERS, PROBLEM_TYPE, type Problem, problemText } from '../http/index.ts'
import type { Adapter } from './adapters.ts'

/** The status that is meant, where the proxy passes on 401 and 403 alone. */
export const STATUS_HEADER = 'Postern-Status'
/** Where the browser is to go, where the proxy passes on no redirect. */
export const REDIRECT_HEADER = 'Postern-Redirect'
/** The code of the refusal, for the proxy's log. */
const CODE_HEADER = 'Postern-Denial'

const API = Object.entries(API_HEADERS).flat()

export function answerRefusal(
  response: ServerResponse,
  { statuses }: Pick<Adapter, 'statuses'>,
  problem: Problem,
  signInAt: string | undefined,
): void {
  const status = signInAt === undefined ? problem.status : 302
  const headers = [...API, CODE_HEADER, problem.code, ...Object.entries(problem.headers).flat()]
  if (statuses === 'only_401_and_403') {
    headers.push(STATUS_HEADER, String(status), 'Content-Length', '0')
    if (signInAt !== undefined) headers.push(REDIRECT_HEADER, signInAt)
    response.writeHead(problem.status === 401 ? 401 : 403, headers)
    response.end()
    return
  }
  if (signInAt !== undefined) headers.push('Location', signInAt)
  const body = signInAt === undefined ? problemText(problem, 'none') : ''
  headers.push('Content-Type', PROBLEM_TYPE, 'Content-Length', String(Buffer.byteLength(body)))
  response.writeHead(status, headers)
  response.end(body)
}
