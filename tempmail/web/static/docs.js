// Shows /openapi.json as a page. Builds elements and text nodes only, never markup from strings.
"use strict";

const METHODS = ["get", "head", "post", "put", "patch", "delete"];

function element(name, attributes, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

// Text with `code` in backquotes; blank lines part paragraphs.
function prose(text) {
  return (text || "").split(/\n{2,}/).filter(Boolean).map((paragraph) => {
    const parts = paragraph.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
    return element("p", {}, ...parts);
  });
}

function inline(text) {
  return (text || "").split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

class Viewer {
  constructor(description) {
    this.description = description;
  }

  resolve(schema) {
    const name = schema && schema.$ref ? schema.$ref.split("/").pop() : null;
    return name ? this.description.components.schemas[name] : schema || {};
  }

  // "string", "integer | null", "MailItem[]", …
  typeName(schema) {
    if (!schema) return "any";
    if (schema.$ref) return schema.$ref.split("/").pop();
    if (schema.anyOf) return schema.anyOf.map((one) => this.typeName(one)).join(" | ");
    if (schema.type === "array") return this.typeName(schema.items) + "[]";
    return [].concat(schema.type || "any").join(" | ");
  }

  limits(schema) {
    const notes = [];
    if (schema.minimum !== undefined) notes.push("≥ " + schema.minimum);
    if (schema.maximum !== undefined) notes.push("≤ " + schema.maximum);
    if (schema.default !== undefined && schema.default !== null && schema.default !== "") {
      notes.push("default " + JSON.stringify(schema.default));
    }
    return notes.join(", ");
  }

  table(head, rows) {
    return element(
      "div",
      { class: "scroll" },
      element(
        "table",
        {},
        element("thead", {}, element("tr", {}, ...head.map((title) => element("th", { scope: "col" }, title)))),
        element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, ...[].concat(cell))))))
      )
    );
  }

  // [name, schema, is required] of each field, and below it of what it holds; `depth` bounds schemas that hold themselves.
  flat(schema, prefix = "", depth = 0) {
    const found = this.resolve(schema);
    if (depth > 3) return [];
    if (found.type === "array") return this.flat(found.items, prefix + "[]", depth + 1);
    return Object.entries(found.properties || {}).flatMap(([name, property]) => {
      const path = prefix ? prefix + "." + name : name;
      return [[path, property, (found.required || []).includes(name)], ...this.flat(property, path, depth + 1)];
    });
  }

  meaning(text, schema) {
    return inline([text, this.limits(schema)].filter(Boolean).join("; "));
  }

  fields(schema, mark) {
    const rows = this.flat(schema).map(([name, property, required]) => [
      [element("code", {}, name), ...(required === mark.when ? [" ", element("span", { class: "soft" }, mark.text)] : [])],
      element("code", {}, this.typeName(property)),
      this.meaning(property.description || this.resolve(property).description, property),
    ]);
    return rows.length ? [this.table(["Field", "Type", "Meaning"], rows)] : [];
  }

  shown(value) {
    return element("pre", { tabindex: "0" }, typeof value === "string" ? value : JSON.stringify(value, null, 2));
  }

  request(operation) {
    if (!operation.requestBody) return [];
    const contents = Object.entries(operation.requestBody.content);
    const { schema, example } = contents[0][1];
    const media = contents.map(([name]) => name).join(" or ") + (operation.requestBody.required ? "" : ", may be left out");
    return [
      element("h4", {}, "Body ", element("span", { class: "soft" }, media)),
      element("p", {}, ...inline(operation.requestBody.description)),
      ...this.fields(schema, { when: true, text: "required" }),
      this.shown(example),
    ];
  }

  parameters(operation) {
    if (!operation.parameters) return [];
    const rows = operation.parameters.map((one) => [
      [element("code", {}, one.name), ...(one.required ? [" ", element("span", { class: "soft" }, "required")] : [])],
      one.in,
      element("code", {}, this.typeName(one.schema)),
      this.meaning(one.description, one.schema),
      element("code", {}, String(one.example)),
    ]);
    return [element("h4", {}, "Parameters"), this.table(["Name", "In", "Type", "Meaning", "Example"], rows)];
  }

  // The call as a command for a POSIX shell.
  command(path, method, operation) {
    const given = operation.parameters || [];
    const filled = given
      .filter((one) => one.in === "path")
      .reduce((text, one) => text.replace("{" + one.name + "}", encodeURIComponent(one.example)), path);
    const query = given
      .filter((one) => one.in === "query" && (one.required || one.name === "mailbox"))
      .map((one) => one.name + "=" + encodeURIComponent(one.example).replaceAll("%40", "@"));
    const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
    const url = quoted(location.origin + filled + (query.length ? "?" + query.join("&") : ""));
    const implied = method === "get" || (method === "post" && operation.requestBody);
    const parts = ["curl " + (method === "head" ? "-I " : implied ? "" : "-X " + method.toUpperCase() + " ") + url];
    if (operation.security.length) {
      const schemes = operation.security.map((one) => Object.keys(one)[0]);
      parts.push(schemes.includes("apiToken") ? '-H "Authorization: Bearer $TOKEN"' : "-b cookies.txt");
    } else if (operation.tags[0] === "Session") {
      parts.push("-c cookies.txt -b cookies.txt");
    }
    const body = operation.requestBody && Object.entries(operation.requestBody.content)[0];
    if (body && body[0] === "multipart/form-data") {
      parts.push(...Object.keys(body[1].example).map((name) => "-F " + name + "=@mail.eml"));
    } else if (body) {
      parts.push("-H " + quoted("Content-Type: " + body[0]));
      parts.push(typeof body[1].example === "string" ? "--data-binary @mail.eml" : "-d " + quoted(JSON.stringify(body[1].example)));
    }
    const shown = this.shown(parts.join(" \\\n  "));
    shown.className = "command";
    return [element("h4", {}, "Command"), shown];
  }

  success(operation) {
    const [media, content] = Object.entries(operation.responses["200"].content)[0];
    return [
      element("h4", {}, "Answer ", element("span", { class: "soft" }, "200, " + media)),
      element("p", {}, ...inline(operation.responses["200"].description)),
      ...this.fields(content.schema, { when: false, text: "not always" }),
      this.shown(content.example),
    ];
  }

  failures(operation) {
    const rows = [];
    for (const [status, response] of Object.entries(operation.responses)) {
      if (status === "200") continue;
      for (const example of Object.values(response.content["application/json"].examples)) {
        rows.push([status, element("code", {}, example.value.error), inline(example.summary)]);
      }
    }
    return [element("h4", {}, "Errors"), this.table(["Status", "error", "Meaning"], rows)];
  }

  operation(path, method, operation) {
    return element(
      "article",
      { id: operation.operationId },
      element("h3", {}, element("span", { class: "method " + method }, method.toUpperCase()), " ", element("code", {}, path)),
      element("p", {}, element("strong", {}, operation.summary)),
      ...prose(operation.description),
      ...this.parameters(operation),
      ...this.request(operation),
      ...this.command(path, method, operation),
      ...this.success(operation),
      ...this.failures(operation)
    );
  }

  byTag() {
    const groups = new Map(this.description.tags.map((tag) => [tag.name, []]));
    for (const [path, item] of Object.entries(this.description.paths)) {
      for (const method of METHODS) {
        if (item[method]) groups.get(item[method].tags[0]).push([path, method, item[method]]);
      }
    }
    return groups;
  }

  credentials() {
    const rows = Object.values(this.description.components.securitySchemes).map((scheme) => [
      scheme.type === "http" ? "Authorization: Bearer …" : scheme.name + " (" + scheme.in + ")",
      inline(scheme.description),
    ]);
    return [element("h2", {}, "Credentials"), this.table(["Where", "What"], rows)];
  }

  show(contents, main) {
    const info = this.description.info;
    contents.append(element("a", { href: "/" }, "tempmail"));
    main.replaceChildren(
      element("h1", {}, info.title + " API ", element("span", { class: "soft" }, info.version)),
      ...prose(info.description),
      ...this.credentials()
    );
    const about = new Map(this.description.tags.map((tag) => [tag.name, tag.description]));
    for (const [tag, operations] of this.byTag()) {
      const links = operations.map(([path, method, operation]) =>
        element(
          "li",
          {},
          element("a", { href: "#" + operation.operationId }, element("span", { class: "method " + method }, method.toUpperCase()), " " + path)
        )
      );
      contents.append(element("h2", {}, tag), element("ul", {}, ...links));
      main.append(element("h2", {}, tag), element("p", {}, about.get(tag)), ...operations.map((one) => this.operation(...one)));
    }
    if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
  }
}

fetch("/openapi.json")
  .then((answer) => {
    if (!answer.ok) throw new Error("status " + answer.status);
    return answer.json();
  })
  .then((description) => {
    new Viewer(description).show(document.getElementById("contents"), document.getElementById("document"));
  })
  .catch((error) => {
    document.getElementById("document").replaceChildren(
      element("p", {}, "The API's description could not be shown (" + error.message + "). It is at "),
      element("a", { href: "/openapi.json" }, "/openapi.json")
    );
  });
