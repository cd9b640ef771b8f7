/** Requests that flow: every agent calls every service again and again, and each answer is noted with its times. */
import { Agent as HttpAgent, get } from 'node:http'
import type { Agent, Demonstration, Service } from './deployment.ts'

export interface Answered {
  readonly agent: Agent
  readonly service: Service
  readonly status: number
  /** By the monotonic clock of this process. */
  readonly sentAtMs: number
  readonly answeredAtMs: number
}

const PAUSE_MS = 4

export class Traffic {
  readonly #answers: Answered[] = []
  #flowing = true
  readonly #loops: Promise<void>[]

  constructor({ agents, services }: Pick<Demonstration, 'agents' | 'services'>) {
    this.#loops = agents.flatMap((agent) => services.map((service) => this.#call(agent, service)))
  }

  since(ms: number): readonly Answered[] {
    return this.#answers.filter(({ sentAtMs }) => sentAtMs >= ms)
  }

  async stop(): Promise<void> {
    this.#flowing = false
    await Promise.all(this.#loops)
  }

  async #call(agent: Agent, service: Service): Promise<void> {
    const connection = new HttpAgent({ keepAlive: true, maxSockets: 1 })
    while (this.#flowing) {
      const sentAtMs = performance.now()
      const status = await statusOf(service.url, agent.token, connection)
      this.#answers.push({ agent, service, status, sentAtMs, answeredAtMs: performance.now() })
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    }
    connection.destroy()
  }
}

function statusOf(url: string, token: string, agent: HttpAgent): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  get(url, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
    response.resume()
    response.on('end', () => resolve(response.statusCode ?? 0))
  }).on('error', () => resolve(0))
  return promise
}
