/** The load generator's other end. */
import { join } from 'node:path'
import { LOAD_CORE, startMeasured } from './child-process.ts'
import type { LoadRequest, LoadResult, LoadRun } from './load-generator.ts'

export interface Load {
  run(run: LoadRun): Promise<LoadResult>
  end(): Promise<void>
}

export function startLoad(): Load {
  const generator = startMeasured([join(import.meta.dirname, 'load-generator.ts')], { core: LOAD_CORE })
  return {
    async run(run) {
      generator.send(JSON.stringify(run))
      const result = JSON.parse(await generator.nextLine()) as LoadResult
      if (result.refused > 0)
        throw new Error(`${result.refused} of ${result.answered} requests were refused: ${result.sample}`)
      return result
    },
    end: () => generator.end(),
  }
}

export function post(path: string, operatorKey: string, body: unknown): LoadRequest {
  return {
    method: 'POST',
    path,
    headers: { authorization: `Bearer ${operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }
}
