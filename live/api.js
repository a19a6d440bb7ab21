// What is asked of salt-api. The token goes in a header and no cookie is kept, so no other site can ask in our name.

const TOKEN = "salt-transfer-token";
const ANSWER_PATIENCE = 60000;

export class SignedOut extends Error {}

export class Unreachable extends Error {}

export function signedIn() {
  return sessionStorage.getItem(TOKEN) !== null;
}

export function forget() {
  sessionStorage.removeItem(TOKEN);
}

export async function login(credentials) {
  const [told] = await post("login", credentials);
  sessionStorage.setItem(TOKEN, told.token);
}

export async function logout() {
  try {
    await post("logout", {});
  } finally {
    forget();
  }
}

// The one function that this page runs; it changes nothing, and tells only what the user may see.
export async function overview(asked) {
  const [told] = await post("", [{ client: "runner", fun: "transfer.overview", kwarg: asked }]);
  if (typeof told !== "object" || told === null) throw new Unreachable(String(told));
  return told;
}

async function post(path, body) {
  const response = await answer(path, body);
  if (response.status === 401) {
    forget();
    throw new SignedOut("salt-api does not know you, or no longer");
  }
  const told = await response.json().catch(() => ({}));
  if (!response.ok) throw new Unreachable(`salt-api answers ${response.status}: ${told.return ?? response.statusText}`);
  return Array.isArray(told.return) ? told.return : [told.return];
}

async function answer(path, body) {
  try {
    return await fetch(new URL(`../${path}`, import.meta.url), {
      method: "POST",
      credentials: "omit",
      headers: headers(),
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_PATIENCE),
    });
  } catch (trouble) {
    throw new Unreachable(`salt-api does not answer (${trouble.message})`);
  }
}

function headers() {
  const token = sessionStorage.getItem(TOKEN);
  return {
    Accept: "application/json",
    "Content-Type": "application/json",
    ...(token ? { "X-Auth-Token": token } : {}),
  };
}
