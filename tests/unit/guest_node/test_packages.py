"""Packages that were installed for a program stand in `node_modules` beside it."""

import json
import os
from pathlib import Path

from tests.unit.guest_node.support import run_in_context

PROGRAM = """
const fs = require('fs');
const { Worker, isMainThread } = require('worker_threads');
const at = `${__dirname}/node_modules/plain`;
const shown = [require('plain'), require.resolve('plain') === `${at}/lib/main.js`];
const said = (action) => { try { return action(); } catch (e) { return `${e.code} ${e.path}`; } };
shown.push(fs.readdirSync(at), fs.statSync(at).isDirectory(), fs.realpathSync(at) === at);
shown.push(fs.readFileSync(`${at}/lib/main.js`, 'utf8').length > 0);
for (const action of [() => fs.readFileSync(`${at}/none`),
                      () => fs.readFileSync(`${at}/none`, 'utf8'),
                      () => fs.statSync(`${at}/none`), () => fs.readdirSync(`${at}/none`),
                      () => fs.writeFileSync(`${at}/new`, ''), () => fs.mkdirSync(`${at}/new`),
                      () => fs.unlinkSync(`${at}/lib/main.js`)]) {
  shown.push(said(action)?.replace(at, 'AT'));
}
shown.push(fs.statSync(`${at}/none`, { throwIfNoEntry: false }) === undefined);
(async () => {
  shown.push((await import('plain')).default, (await import('plain/more')).value);
  shown.push(await fs.promises.stat(`${at}/none`).catch((e) => e.path.replace(at, 'AT')));
  await new Promise((done) => fs.lstat(`${at}/none`, (e) => {
    shown.push(e.message.replace(at, 'AT'), e.path.replace(at, 'AT'));
    done();
  }));
  if (!isMainThread) return;
  console.log(JSON.stringify(shown));
  new Worker(`console.log(require(${JSON.stringify(at)}))`, { eval: true });
})();
"""


def test_packages_are_beside_the_program_and_read_only(node: str, base: str) -> None:
    source, packages = Path(base, "source"), Path(base, "environment")
    (packages / "plain" / "lib").mkdir(parents=True)
    (packages / "plain" / "lib" / "main.js").write_text("module.exports = 'plain';")
    (packages / "plain" / "more.mjs").write_text("export const value = 'more';")
    about = {"exports": {".": "./lib/main.js", "./more": "./more.mjs"}, "main": "./lib/main.js"}
    (packages / "plain" / "package.json").write_text(json.dumps(about))
    source.mkdir()
    (source / "main.js").write_text(PROGRAM)
    result = run_in_context(
        node, str(source), ["main.js"], base=base, extra={"ONEOS_ENVIRONMENT": str(packages)}
    )
    assert (result.stderr, result.status) == ("", 0)
    first, second = result.stdout.splitlines()
    assert json.loads(first) == [
        "plain", True, ["lib", "more.mjs", "package.json"], True, True, True,
        *["ENOENT AT/none"] * 4,
        "EROFS AT/new", "EROFS AT/new", "EROFS AT/lib/main.js",
        True, "plain", "more", "AT/none",
        "ENOENT: no such file or directory, lstat 'AT/none'", "AT/none",
    ]  # fmt: skip
    assert second == "plain"
    assert sorted(os.listdir(packages / "plain")) == ["lib", "more.mjs", "package.json"]
