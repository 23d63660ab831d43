"""What scripts outside of airstore import."""

from airstore.charts.documents import find_images


def test_a_pods_image_is_found() -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "image": "shop/api:1"}]}}
    assert [str(hit.reference) for hit in find_images(pod)] == ["docker.io/shop/api:1"]
