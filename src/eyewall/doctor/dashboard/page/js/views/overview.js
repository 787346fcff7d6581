export default {
  id: "overview",
  title: "Overview",
  key: "o",
  mount(root, model) {
    return { update() {}, unmount() {} };
  },
};
