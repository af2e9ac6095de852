// A real OpenID provider for the tests: npm's oidc-provider, on loopback addresses only.
//
// See openid.py.  The first line of its input is its setup as JSON, each further line an order; it
// answers each with a line, and tells on others what happens.  No line has a token, code or secret.
//
// Tokens are asked for, and people sign in, at one port; mail servers ask about tokens at another,
// so that the first can be out of service while the second answers.

import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

import Provider, { errors } from 'oidc-provider';
import { jwtVerify } from 'jose';

const ADDRESS = '127.0.0.1';
const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code';
// As Google has it, whoever asks here is known by the assertion alone.
const SERVICE_ACCOUNTS = '/service-accounts/token';
const LONGEST_ASSERTION = 600;

// Its notices are for its log, and not for those who read lines of JSON.
console.info = console.error;

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const input = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const setup = JSON.parse((await input.next()).value);

// What orders change.
const state = {
  lifetime: 3600, // seconds of access tokens, of whatever grant
  refresh_lifetime: 7776000,
  fault: null, // "refused": nobody listens; or the status of all answers
  retry_after: null, // seconds, beside a status
  delay: 0, // seconds before each answer about tokens
  forgiving: false, // a refresh token that was replaced stays good, as at Microsoft
  rotates: true,
};
const issued = { access: new Set(), refresh: new Set() };

const application = {
  redirect_uris: [],
  response_types: [],
  grant_types: ['client_credentials'],
  token_endpoint_auth_method: 'client_secret_post',
};
const certificate = new X509Certificate(setup.certificate);
const digest = createHash('sha256').update(certificate.raw).digest('base64url');
const publicKey = (key, alg) => ({ ...key.export({ format: 'jwk' }), alg, use: 'sig' });

const clients = [
  ...Array.from({ length: setup.applications }, (_, number) => ({
    ...application,
    client_id: `app-${number}`,
    client_secret: setup.client_secret,
  })),
  {
    ...application,
    client_id: 'certified',
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'PS256',
    jwks: { keys: [publicKey(certificate.publicKey, 'PS256')] },
  },
  {
    ...application,
    client_id: 'signed-in',
    application_type: 'native',
    grant_types: ['authorization_code', 'refresh_token', DEVICE],
    redirect_uris: setup.redirect_uris,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  },
  {
    ...application,
    client_id: 'service',
    client_secret: 'none',
    grant_types: [JWT_BEARER],
    token_endpoint_auth_method: 'client_secret_basic',
  },
  {
    ...application,
    client_id: 'mail-server',
    client_secret: 'introspects',
    token_endpoint_auth_method: 'client_secret_basic',
  },
];

// Whose mailbox it is good for; the mail server compares that with the user of the login.
const mailboxOf = (token) => token.accountId ?? token.extra?.mailbox ?? token.clientId;

let handle = (request, response) => response.destroy();
let port = 0;
const servers = { tokens: null, questions: null };

function listen(name, at) {
  const server = createServer((request, response) => handle(name, request, response));
  servers[name] = server;
  return new Promise((resolve) => {
    server.listen(at, ADDRESS, () => resolve(server.address().port));
  });
}

function close(name) {
  const server = servers[name];
  return new Promise((resolve) => {
    server.close(resolve);
    server.closeAllConnections();
  });
}

port = await listen('tokens', 0);
const questions = await listen('questions', 0);
const issuer = `http://${ADDRESS}:${port}`;

const provider = new Provider(issuer, {
  clients,
  scopes: ['openid', 'offline_access', ...setup.scopes],
  clientAuthMethods: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['PS256'] },
  assertJwtClientAuthClaimsAndHeader(ctx, claims, header) {
    if (header['x5t#S256'] !== digest) throw new errors.InvalidClientAuth('unknown certificate');
    if (claims.aud !== `${issuer}/token`) throw new errors.InvalidClientAuth('another audience');
    if (!(claims.exp - claims.nbf <= LONGEST_ASSERTION)) {
      throw new errors.InvalidClientAuth('the assertion lives too long');
    }
  },
  extraTokenClaims: (ctx, token) => ({ mailbox: mailboxOf(token) }),
  features: {
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
  },
  pkce: { required: () => true },
  issueRefreshToken: () => true,
  expiresWithSession: () => false,
  rotateRefreshToken: () => state.rotates,
  ttl: {
    AccessToken: () => state.lifetime,
    ClientCredentials: () => state.lifetime,
    RefreshToken: () => state.refresh_lifetime,
    DeviceCode: () => 600,
  },
});

// Service accounts (RFC 7523 section 2.1), which oidc-provider leaves to others.
const serviceKey = createPublicKey(setup.service_account.key);
provider.registerGrantType(JWT_BEARER, async (ctx) => {
  const { assertion, scope } = ctx.oidc.params;
  let claims;
  try {
    ({ payload: claims } = await jwtVerify(assertion, serviceKey, {
      algorithms: ['RS256'],
      audience: `${issuer}${SERVICE_ACCOUNTS}`,
      issuer: setup.service_account.email,
      maxTokenAge: LONGEST_ASSERTION,
      requiredClaims: ['sub', 'exp', 'iat', 'scope'],
    }));
  } catch (error) {
    throw new errors.InvalidGrant(`assertion: ${error.code}`);
  }
  const token = new provider.ClientCredentials({
    client: ctx.oidc.client,
    scope: claims.scope ?? scope,
    extra: { mailbox: claims.sub },
  });
  ctx.oidc.entity('ClientCredentials', token);
  ctx.body = {
    access_token: await token.save(),
    expires_in: token.expiration,
    token_type: token.tokenType,
  };
}, ['assertion', 'scope']);

// What happens is told.
provider.on('grant.success', (ctx) => {
  const { params, client } = ctx.oidc;
  say({ what: 'granted', grant: params.grant_type, client: client.clientId });
});
provider.on('grant.error', (ctx, error) => {
  const { params, client } = ctx.oidc;
  say({
    what: 'denied',
    grant: params?.grant_type,
    client: client?.clientId,
    error: error.error ?? error.message,
    why: error.error_detail ?? error.error_description,
  });
});
provider.on('server_error', (ctx, error) => console.error(error));
for (const kind of ['access_token', 'client_credentials']) {
  provider.on(`${kind}.saved`, (token) => issued.access.add(token));
}
provider.on('refresh_token.saved', (token) => issued.refresh.add(token));

const { consume } = provider.RefreshToken.prototype;
provider.RefreshToken.prototype.consume = function replaced() {
  return state.forgiving ? undefined : consume.call(this);
};

const serve = provider.callback();
handle = (name, request, response) => {
  const path = new URL(request.url, issuer).pathname;
  if (name === 'questions') return serve(request, response);
  say({ what: 'request', path });
  if (state.fault) {
    const headers = state.retry_after ? { 'Retry-After': state.retry_after } : {};
    return response.writeHead(state.fault, headers).end('out of service');
  }
  if (path === SERVICE_ACCOUNTS) {
    request.url = '/token';
    request.headers.authorization = `Basic ${Buffer.from('service:none').toString('base64')}`;
  }
  return setTimeout(() => serve(request, response), state.delay * 1000);
};

const orders = {
  async set(changes) {
    const was = state.fault;
    Object.assign(state, changes);
    if ((was === 'refused') === (state.fault === 'refused')) return null;
    return state.fault === 'refused' ? close('tokens') : listen('tokens', port);
  },
  // Tokens of a kind, "access" or "refresh", are good for nothing from now on.
  async revoke(kind) {
    const tokens = [...issued[kind]];
    issued[kind].clear();
    await Promise.all(tokens.map((token) => token.destroy()));
    return tokens.length;
  },
};

say({ what: 'ready', port, questions });
for await (const line of input) {
  const [order, argument] = JSON.parse(line);
  say({ what: 'done', answer: (await orders[order](argument)) ?? null });
}
process.exit(0);
