/** A new deployment with demo data, reached either way: in process on its folder, or as a server that listens. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDeployment } from '../../app.ts'
import { loadConfig } from '../../config.ts'
import type { CliDeps } from '../index.ts'

export interface TestDeployment {
  readonly folder: string
  /** What the command line needs to reach it. */
  readonly env: NodeJS.ProcessEnv
  readonly deps: CliDeps
  readonly demoKey: string
  drop(): Promise<void>
}

export const LOCAL_DEPS: CliDeps = {
  openDeployment: (config) => openDeployment(config, { setUp: false, asSystem: true }),
  serve: () => Promise.reject(new Error('This test serves nothing.')),
}

export async function startDeployment(transport: 'local' | 'remote'): Promise<TestDeployment> {
  const folder = mkdtempSync(join(tmpdir(), 'postern-cli-'))
  const env = { POSTERN_DATA: folder, POSTERN_LOG_LEVEL: 'silent' }
  const deployment = await openDeployment(loadConfig(env), { setUp: true })
  const { operatorKey, demo } = deployment.firstKeys ?? {}
  if (operatorKey === undefined || demo === undefined) throw new Error('The deployment was there already.')
  const drop = async (): Promise<void> => rmSync(folder, { recursive: true, force: true })

  if (transport === 'local') {
    await deployment.close()
    return { folder, env, deps: LOCAL_DEPS, demoKey: demo.key, drop }
  }
  await deployment.server.listen({ host: '127.0.0.1', port: 0 })
  const { port } = deployment.server.server.address() as AddressInfo
  return {
    folder,
    env: { POSTERN_URL: `http://127.0.0.1:${port}`, POSTERN_OPERATOR_KEY: operatorKey },
    deps: {
      openDeployment: () => Promise.reject(new Error('The server was asked for, not the folder.')),
      serve: LOCAL_DEPS.serve,
    },
    demoKey: demo.key,
    async drop() {
      await deployment.close()
      await drop()
    },
  }
}
