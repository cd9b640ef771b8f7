/** A refusal as the proxy can pass it on, straight to the socket. */
import type { ServerResponse } from 'node:http'
import { API_HEADERS, PROBLEM_TYPE, type Problem, problemPage, problemText } from '../http/index.ts'
import type { Adapter } from './adapters.ts'

/** The status that is meant, where the proxy passes on 401 and 403 alone. */
export const STATUS_HEADER = 'Postern-Status'
/** Where the browser is to go, where the proxy passes on no redirect. */
export const REDIRECT_HEADER = 'Postern-Redirect'
/** The code of the refusal, for the proxy's log. */
const CODE_HEADER = 'Postern-Denial'

const API = Object.entries(API_HEADERS).flat()

/** Whoever is answered. */
export interface Refused {
  readonly response: ServerResponse
  readonly adapter: Pick<Adapter, 'statuses'>
  /** The Accept header of the original request. */
  readonly accept: string | undefined
}

export interface RefusalMembers {
  /** A person is sent there instead. */
  readonly signInAt?: string | undefined
  /** Names and values in turn. */
  readonly headers?: readonly string[] | undefined
}

export function answerRefusal(
  { response, adapter, accept }: Refused,
  problem: Problem,
  { signInAt, headers: more = [] }: RefusalMembers = {},
): void {
  const status = signInAt === undefined ? problem.status : 302
  const headers = [CODE_HEADER, problem.code, ...Object.entries(problem.headers).flat(), ...more]
  if (adapter.statuses === 'only_401_and_403') {
    headers.push(STATUS_HEADER, String(status))
    if (signInAt !== undefined) headers.push(REDIRECT_HEADER, signInAt)
    return send(response, problem.status === 401 ? 401 : 403, [...API, ...headers], '')
  }
  if (signInAt !== undefined) return send(response, status, [...API, ...headers, 'Location', signInAt], '')
  if (wantsPage(accept)) {
    const page = problemPage(problem)
    const own = Object.entries(page.headers).flat()
    return send(response, status, [...own, 'x-content-type-options', 'nosniff', ...headers], page.text)
  }
  send(response, status, [...API, ...headers, 'Content-Type', PROBLEM_TYPE], problemText(problem, 'none'))
}

function send(response: ServerResponse, status: number, headers: string[], body: string): void {
  response.writeHead(status, [...headers, 'Content-Length', String(Buffer.byteLength(body))])
  response.end(body)
}

/** A browser that opens a page, and not a script. */
export function wantsPage(accept: string | undefined): boolean {
  return accept !== undefined && accept.includes('text/html')
}
