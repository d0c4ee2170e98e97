// SPDX-License-Identifier: GPL-3.0-or-later
#version 330
in vec3 position;
in vec3 normal;
in vec3 rest;      // T-pose of the mean body: what the paint is keyed to
in float eyeball;
uniform mat4 view;
out vec3 world;
out vec3 bent;
out vec3 at;
out float is_eye;

void main() {
    world = position;
    bent = normal;
    at = rest;
    is_eye = eyeball;
    gl_Position = view * vec4(position, 1.0);
}
