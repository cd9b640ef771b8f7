import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, describe, test } from 'node:test'
import { ConfigError, loadCliTarget, loadConfig, withoutPassword } from './config.ts'
import { settingsTable } from './config/settings-table.ts'

const folder = mkdtempSync(join(tmpdir(), 'postern-config-'))
after(() => rmSync(folder, { recursive: true }))

const SECRET = 'q8Zr1uT5wX3yB7nM0kL2jH4gF6dS9aPe'
const PUBLIC = { POSTERN_HOST: '0.0.0.0', POSTERN_ISSUER: 'https://auth.example.com' }

function file(name: string, text: string, mode = 0o600): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}

/** The sentence with which these settings stop the start. */
function refusal(env: NodeJS.ProcessEnv, overrides = {}): string {
  try {
    loadConfig(env, overrides)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    assert.ok(!error.message.includes('\n'))
    return error.message
  }
  return assert.fail('these settings were taken')
}

describe('defaults and precedence', () => {
  test('starts with nothing configured: on loopback, with SQLite in ./data', () => {
    const config = loadConfig({}, {}, false)
    assert.equal(config.host, 'localhost')
    assert.equal(config.port, 4800)
    assert.equal(config.issuer, 'http://localhost:4800')
    assert.equal(config.dataDir, resolve('./data'))
    assert.equal(config.databaseUrl, undefined)
    assert.equal(config.rootSecret, undefined)
    assert.equal(config.workers, 1)
    assert.equal(config.logFormat, 'json')
    assert.deepEqual(config.warnings, [])
  })

  test('takes the command line before the environment, that before the file, and that before the default', () => {
    const path = file('precedence.toml', 'port = 5001\nworkers = 3\nlog_level = "warn"\n')
    const env = { POSTERN_CONFIG: path, POSTERN_PORT: '5002', POSTERN_WORKERS: '2' }
    const config = loadConfig(env, { port: 5003 })
    assert.deepEqual([config.port, config.workers, config.logLevel], [5003, 2, 'warn'])
    assert.equal(config.issuer, 'http://localhost:5003')
  })

  test('is frozen, all the way down', () => {
    const config = loadConfig({ POSTERN_TRUSTED_PROXIES: '10.0.0.1' })
    for (const part of [config, config.trustedProxies, config.limits, config.limits.address, config.warnings])
      assert.ok(Object.isFrozen(part))
  })

  test('writes for people on a terminal, and as told anywhere', () => {
    assert.equal(loadConfig({}, {}, true).logFormat, 'pretty')
    assert.equal(loadConfig({ POSTERN_LOG_FORMAT: 'json' }, {}, true).logFormat, 'json')
    assert.equal(loadConfig({ POSTERN_LOG_FORMAT: 'pretty' }, {}, false).logFormat, 'pretty')
  })

  test('treats an empty variable as not set', () => {
    assert.equal(loadConfig({ POSTERN_PORT: '', POSTERN_DATABASE_URL: '' }).port, 4800)
  })
})

describe('wrong values', () => {
  const cases: readonly [NodeJS.ProcessEnv, RegExp][] = [
    [{ POSTERN_PORT: '48oo' }, /^POSTERN_PORT is "48oo"; expected a whole number from 0 to 65535\.$/],
    [{ POSTERN_PORT: '65536' }, /^POSTERN_PORT is "65536"; expected a whole number/],
    [{ POSTERN_WORKERS: '0' }, /^POSTERN_WORKERS is "0"; expected a whole number from 1 to 64/],
    [{ POSTERN_LOG_LEVEL: 'inof' }, /^POSTERN_LOG_LEVEL is "inof"; expected one of .*did you mean info\?/],
    [{ POSTERN_INSECURE: 'maybe' }, /^POSTERN_INSECURE is "maybe"; expected true or false/],
    [{ POSTERN_HOST: 'localhost:4800' }, /^POSTERN_HOST is "localhost:4800"; expected a host name/],
    [{ POSTERN_ISSUER: 'auth.example.com' }, /^POSTERN_ISSUER is .*expected an absolute URL/],
    [{ POSTERN_ISSUER: 'ftp://example.com' }, /^POSTERN_ISSUER is .*expected an absolute URL/],
    [{ POSTERN_ISSUER: 'https://a.example/?x=1' }, /^POSTERN_ISSUER is .*without query/],
    [{ POSTERN_ISSUER: 'https://a.example/#' }, /^POSTERN_ISSUER is .*without query, fragment/],
    [{ POSTERN_ISSUER: 'http://auth.example.com' }, /^POSTERN_ISSUER is .*plain http beyond loopback/],
    [
      { POSTERN_TRUSTED_PROXIES: '10.0.0.0/33' },
      /^POSTERN_TRUSTED_PROXIES is not .*"10\.0\.0\.0\/33" has a prefix/,
    ],
    [{ POSTERN_TRUSTED_PROXIES: '0.0.0.0/0' }, /^POSTERN_TRUSTED_PROXIES trusts every address/],
    [
      { POSTERN_TLS_CERT_FILE: '/nowhere/tls.crt' },
      /^POSTERN_TLS_CERT_FILE is "\/nowhere\/tls\.crt"; expected .*PEM/,
    ],
    [
      { POSTERN_CONFIG: '/nowhere/postern.toml' },
      /^POSTERN_CONFIG names .*does not exist; expected a TOML file/,
    ],
    [
      { POSTERN_DATABASE_URL: 'mysql://root:hunter2@db/x' },
      /^POSTERN_DATABASE_URL is not a Postgres URL; expected postgres:/,
    ],
  ]
  for (const [env, expected] of cases) {
    const [variable, value] = Object.entries(env)[0] ?? []
    test(`refuses ${variable}=${value} in one sentence`, () => assert.match(refusal(env), expected))
  }

  test('names the option, or the key and the file, where the value came from there', () => {
    assert.match(refusal({}, { port: 'x' }), /^--port is "x"/)
    const path = file('wrong.toml', 'shutdown_grace_seconds = 10000\n')
    assert.match(refusal({ POSTERN_CONFIG: path }), /^shutdown_grace_seconds in .*wrong\.toml is "10000"/)
  })

  test('refuses an unknown key in the file, and says which one was meant', () => {
    const path = file('unknown.toml', 'prot = 4800\n')
    assert.match(
      refusal({ POSTERN_CONFIG: path }),
      /^prot in .*unknown\.toml is not a setting \(did you mean port\?\)/,
    )
  })

  test('refuses a file that is not TOML by its line, without repeating it', () => {
    const path = file('broken.toml', `port = 4800\nroot_secret = ${SECRET}\n`)
    const message = refusal({ POSTERN_CONFIG: path })
    assert.match(message, /is not valid TOML \(line 2\)/)
    assert.ok(!message.includes(SECRET))
  })

  test('needs the certificate and its key together', () => {
    const path = file('tls.crt', 'PEM')
    assert.match(refusal({ POSTERN_TLS_CERT_FILE: path }), /^POSTERN_TLS_KEY_FILE is not set/)
    assert.match(refusal({ POSTERN_TLS_KEY_FILE: path }), /^POSTERN_TLS_CERT_FILE is not set/)
  })
})

describe('unknown variables', () => {
  test('warns of an unknown POSTERN_ variable, and says which one was meant', () => {
    const { warnings } = loadConfig({ POSTERN_LOGLEVEL: 'debug', OTHER: 'x' })
    assert.deepEqual(warnings, [
      'POSTERN_LOGLEVEL is not a setting and has no effect (did you mean POSTERN_LOG_LEVEL?).',
    ])
  })

  test('recognises what Kubernetes injects for a service of this name', () => {
    const config = loadConfig({
      POSTERN_PORT: 'tcp://10.96.0.12:4800',
      POSTERN_PORT_4800_TCP: 'tcp://10.96.0.12:4800',
      POSTERN_PORT_4800_TCP_ADDR: '10.96.0.12',
      POSTERN_SERVICE_HOST: '10.96.0.12',
      POSTERN_SERVICE_PORT: '4800',
      POSTERN_SERVICE_PORT_HTTP: '4800',
    })
    assert.equal(config.port, 4800)
    assert.equal(config.warnings.length, 1)
    assert.match(config.warnings[0] ?? '', /enableServiceLinks: false/)
  })
})

describe('secrets', () => {
  test('reads a secret from the file that its _FILE variable names, without the newline at its end', () => {
    const path = file('root-secret', `${SECRET}\n`)
    assert.equal(loadConfig({ POSTERN_ROOT_SECRET_FILE: path }).rootSecret, SECRET)
  })

  test('refuses a secret that is given both ways', () => {
    const env = { POSTERN_ROOT_SECRET: SECRET, POSTERN_ROOT_SECRET_FILE: '/x' }
    assert.match(refusal(env), /^POSTERN_ROOT_SECRET and POSTERN_ROOT_SECRET_FILE are both set/)
  })

  test('warns when others can read a file that holds a secret', () => {
    const path = file('open-secret', SECRET, 0o644)
    assert.match(loadConfig({ POSTERN_ROOT_SECRET_FILE: path }).warnings[0] ?? '', /chmod 600/)
    const toml = file('open.toml', `root_secret = "${SECRET}"\n`, 0o640)
    assert.match(loadConfig({ POSTERN_CONFIG: toml }).warnings[0] ?? '', /chmod 600/)
  })

  test('refuses a secret that can be guessed, without showing any of it', () => {
    for (const secret of ['hunter2hunter2', 'ab'.repeat(30)]) {
      const message = refusal({ POSTERN_ROOT_SECRET: secret })
      assert.match(message, /^POSTERN_ROOT_SECRET .*openssl rand/)
      assert.ok(!message.includes(secret.slice(0, 4)))
    }
  })

  test('refuses a secret between proxies and gateway that no header can carry', () => {
    for (const name of ['POSTERN_GATEWAY_SECRET', 'POSTERN_GATEWAY_SECRET_PREVIOUS'])
      for (const secret of [`${SECRET}\nX: y`, `${SECRET}é`, `${SECRET}\u0000`, `${SECRET}\t1`])
        assert.match(refusal({ [name]: secret }), new RegExp(`^${name} cannot be sent in a header`))
    assert.deepEqual(loadConfig({ POSTERN_GATEWAY_SECRET: SECRET }).gateway.secrets, [SECRET])
  })

  test('never repeats the password of a URL', () => {
    assert.ok(!refusal({ POSTERN_DATABASE_URL: 'mysql://root:hunter2@db/x' }).includes('hunter2'))
    assert.ok(!refusal({ POSTERN_ISSUER: 'https://root:hunter2@a.example' }).includes('hunter2'))
    assert.equal(
      withoutPassword('postgres://app:hunter2@db:5432/x?password=hunter2'),
      'postgres://app@db:5432/x',
    )
  })

  test('needs a root secret with Postgres, for all nodes the same', () => {
    const env = { POSTERN_DATABASE_URL: 'postgres://app:pw@db/postern' }
    assert.match(refusal(env), /^POSTERN_ROOT_SECRET is not set, but Postgres is used/)
    assert.equal(loadConfig({ ...env, POSTERN_ROOT_SECRET: SECRET }).databaseUrl, env.POSTERN_DATABASE_URL)
  })
})

describe('listening beyond loopback', () => {
  test('is refused without https, and says exactly what to set', () => {
    const message = refusal({ POSTERN_HOST: '0.0.0.0' })
    for (const word of ['POSTERN_ISSUER', 'POSTERN_TLS_CERT_FILE', 'POSTERN_TRUSTED_PROXIES', '--insecure'])
      assert.ok(message.includes(word), word)
    assert.match(refusal(PUBLIC), /POSTERN_TRUSTED_PROXIES/)
    assert.doesNotMatch(refusal(PUBLIC), /set POSTERN_ISSUER/)
  })

  test('is taken with a certificate, with a trusted proxy, or as insecure', () => {
    const pem = file('both.pem', 'PEM')
    const tls = loadConfig({ ...PUBLIC, POSTERN_TLS_CERT_FILE: pem, POSTERN_TLS_KEY_FILE: pem })
    assert.deepEqual(tls.tls, { certFile: pem, keyFile: pem })
    const proxied = loadConfig({ ...PUBLIC, POSTERN_TRUSTED_PROXIES: '10.0.0.0/8, fd00::1' })
    assert.deepEqual(proxied.trustedProxies, ['10.0.0.0/8', 'fd00::1'])
    const insecure = loadConfig({ POSTERN_HOST: '0.0.0.0' }, { insecure: true })
    assert.match(insecure.warnings[0] ?? '', /insecure/)
  })

  test('knows loopback in all its spellings', () => {
    for (const host of ['localhost', '127.0.0.1', '127.8.8.8', '::1', '[::1]', 'api.localhost'])
      assert.doesNotThrow(() => loadConfig({ POSTERN_HOST: host }), host)
    for (const host of ['::', '0.0.0.0', '192.168.1.2', 'localhost.example.com'])
      assert.throws(() => loadConfig({ POSTERN_HOST: host }), ConfigError, host)
  })
})

describe('the command line on a server', () => {
  test('is undefined without POSTERN_URL, and refuses to send a key in plain text', () => {
    assert.equal(loadCliTarget({}), undefined)
    const env = { POSTERN_URL: 'https://auth.example.com/', POSTERN_OPERATOR_KEY: 'postern_live_x' }
    assert.deepEqual(loadCliTarget(env), { url: 'https://auth.example.com', operatorKey: 'postern_live_x' })
    assert.throws(
      () => loadCliTarget({ ...env, POSTERN_URL: 'http://auth.example.com' }),
      /POSTERN_URL is plain http/,
    )
  })
})

test('docs/configuration.md has the table of settings as the code has it', () => {
  const page = readFileSync(new URL('../../docs/configuration.md', import.meta.url), 'utf8')
  assert.ok(page.includes(settingsTable()), `paste this into docs/configuration.md:\n${settingsTable()}`)
})
